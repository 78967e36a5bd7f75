"""The networks of all running notebooks, seen from the host."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import LabError
from . import lifetime, sandbox


@dataclass(frozen=True)
class Running:
    """A sandbox of some process on this machine, seen from the host."""

    pid: int
    name: str

    def hosts(self) -> list[str]:
        """Names of the hosts in it."""
        try:
            return sorted(path.name for path in self._root("run/netns").iterdir())
        except OSError:
            raise LabError(f"{self.name} has just ended; open it again") from None

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
        network = self._root(f"run/netns/{host}") if host else ours / "net"
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


def running() -> list[Running]:
    """The sandboxes of all running notebooks, oldest first."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):  # processes end while we look
            numbers = lifetime.pid_namespaces_of(status.read_text())
            if len(numbers) < 2 or numbers[-1] != lifetime.PROGRAM:
                continue
            if b"labsetup.kernel" not in (status.parent / "cmdline").read_bytes():
                continue
            environment = (status.parent / "environ").read_bytes().split(b"\0")
            variables = dict(item.split(b"=", 1) for item in environment if b"=" in item)
            notebook = variables.get(b"JPY_SESSION_NAME", b"a notebook without a name")
            name = Path(notebook.decode(errors="replace")).stem
            found.append(Running(int(status.parent.name), name))
    return sorted(found, key=lambda one: one.pid)
