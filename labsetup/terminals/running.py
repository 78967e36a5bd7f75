"""The networks of this clone's running notebooks, seen from the host."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import LabError
from ..network import lifetime, sandbox

REPO = Path(__file__).parents[2]
PYTHON = Path(sys.executable)
MAKING = 2.0  # seconds that a network may take to be made, until who waits for it is told


@dataclass(frozen=True)
class Running:
    """A sandbox of some process on this machine, seen from the host.

    Attributes:
        pid: the number of its process.
        name: of the notebook.
        server: the number of the process that started it, JupyterLab's; 0 if that is not known.
        begun: when it was started, in clock ticks since the machine was.
    """

    pid: int
    name: str
    server: int = 0
    begun: int = 0

    def hosts(self) -> list[str]:
        """Names of the hosts in it, all of them: it waits a moment for those being made.

        Raises:
            LabError: if it has just ended, or goes on making them.
        """
        end = time.monotonic() + MAKING
        try:
            while self._is_changing:
                if time.monotonic() > end:
                    raise LabError(f"{self.name} is making its network; try again in a moment")
                time.sleep(0.02)  # paces the look; a notebook tells nobody
            return sorted(path.name for path in self._networks.iterdir())
        except OSError:
            raise LabError(f"{self.name} has just ended; open it again") from None

    def network(self) -> frozenset[tuple[str, int]]:
        """What tells its network from one that is made later; empty while there is no whole one."""
        with contextlib.suppress(OSError):  # it ended, or a host has gone while we looked
            there = [(path.name, path.stat().st_ino) for path in self._networks.iterdir()]
            return frozenset() if self._is_changing else frozenset(there)
        return frozenset()

    def made(self) -> int:
        """When its network was made, or is being made, in nanoseconds; 0 while there is none."""
        with contextlib.suppress(OSError):
            there = self._is_changing or any(self._networks.iterdir())
            return self._networks.stat().st_mtime_ns if there else 0
        return 0

    @property
    def _is_changing(self) -> bool:
        return stat.S_IMODE(self._networks.stat().st_mode) == sandbox.CHANGING

    @property
    def is_there(self) -> bool:
        """Whether it still runs."""
        with contextlib.suppress(OSError):
            return _begun(self.pid) == self.begun
        return False

    def around(self) -> Path:
        """The network around its hosts.

        A thread that runs a cell may be on a host, or may just be making one; most are not.

        Raises:
            LabError: if it has just ended.
        """
        found = Counter[int]()
        places = {}
        for thread in Path(f"/proc/{self.pid}/task").glob("*/ns/net"):
            with contextlib.suppress(OSError):  # threads end while we look
                number = thread.stat().st_ino
                found[number] += 1
                places[number] = thread
        if not found:
            raise LabError(f"{self.name} has just ended; open it again")
        return places[found.most_common(1)[0][0]]

    @property
    def _networks(self) -> Path:
        return self._root("run/netns")

    def _root(self, path: str) -> Path:
        return Path(f"/proc/{self.pid}/root", path)

    def entrance(self, host: str | None) -> tuple[Callable[[], None], Callable[[], None]]:
        """What puts a child of this process inside, as nsenter(1) does.

        The first is to be called in this process, whose children are in the PID namespace from then
        on, and the second in the child: setns(2).

        Args:
            host: the host to be on; None for what all of them are in.

        Raises:
            LabError: if it has just ended.
        """
        ours = Path(f"/proc/{self.pid}/ns")
        network = self._networks / host if host else self.around()
        here = os.getcwd()
        try:
            where = (ours / "pid", ours / "mnt", self._root(""), network)
            processes, mounts, root, net = (os.open(path, os.O_RDONLY) for path in where)
        except OSError:
            raise LabError(f"{self.name} has just ended; open it again") from None

        def before() -> None:
            sandbox.call("setns", processes, lifetime.CLONE_NEWPID)

        def enter() -> None:
            sandbox.call("setns", mounts, sandbox.CLONE_NEWNS)
            os.fchdir(root)
            os.chroot(".")
            sandbox.call("setns", net, sandbox.CLONE_NEWNET)
            os.chdir(here)

        return before, enter


def running(server: int | None = None) -> list[Running]:
    """The sandboxes of this clone's running notebooks, newest first.

    Args:
        server: the number of JupyterLab's process, where only its own are meant.
    """
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError, ValueError):  # processes end while we look
            command = (status.parent / "cmdline").read_bytes().split(b"\0")
            if b"labsetup.kernel" not in command:
                continue
            numbers = lifetime.pid_namespaces_of(status.read_text())
            if len(numbers) < 2 or numbers[-1] != lifetime.PROGRAM:
                continue
            variables = _variables(status.parent)
            if not _is_ours(Path(os.fsdecode(command[0])), variables):
                continue
            name = Path(variables.get("JPY_SESSION_NAME", "a notebook without a name")).stem
            parent = int(variables.get("JPY_PARENT_PID", 0))
            pid = int(status.parent.name)
            if server in (None, parent) and _has_entered(pid):
                found.append(Running(pid, name, parent, _begun(pid)))
    return sorted(found, key=lambda one: (one.begun, one.pid), reverse=True)


def around_here() -> Running | None:
    """The notebook whose sandbox this process is in already, if it is in one."""
    with contextlib.suppress(OSError):
        if b"labsetup.kernel" in Path("/proc/1/cmdline").read_bytes():
            session = _variables(Path("/proc", str(lifetime.PROGRAM))).get("JPY_SESSION_NAME", "")
            return Running(lifetime.PROGRAM, Path(session).stem)
    return None


def _is_ours(python: Path, variables: Mapping[str, str]) -> bool:
    """Whether a kernel is this clone's: by its environment, and by the files where it is shared."""
    if (python.parent.resolve(), python.name) != (PYTHON.parent.resolve(), PYTHON.name):
        return False
    paths = variables.get("PYTHONPATH", "")
    return not paths or str(REPO) in paths.split(":")


def _has_entered(pid: int) -> bool:
    """Whether a kernel that has just been started is in its sandbox yet, and not on the host."""
    run = Path(f"/proc/{pid}/root/run")
    return run.stat().st_dev != (run / "netns").stat().st_dev  # its own is a mount of its own


def _variables(process: Path) -> dict[str, str]:
    """A process's environment as it was when it was started: proc(5)."""
    items = os.fsdecode((process / "environ").read_bytes()).split("\0")
    return dict(item.split("=", 1) for item in items if "=" in item)


def _begun(pid: int) -> int:
    """Field 22 of proc(5)'s stat, or 0 when it has ended; the name may have any character."""
    state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 0 if state in "XZ" else int(fields[18])
