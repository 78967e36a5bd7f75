"""The installation's steps: each a process that ends with all that it starts."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

ENDING = 1.5  # seconds for a step to end when it is asked
PR_SET_PDEATHSIG = 1
MARK = "XDP_LAB_INSTALLS"  # in the environment of all that a step starts

# What it is installed for; an image runs on many, and none of them has its headers in it.
KERNEL = os.environ.get("XDP_LAB_KERNEL") or os.uname().release

Work = Callable[[], object]


class Broken(Exception):
    """The installation cannot go on; the message is one sentence."""


def say(text: str) -> None:
    """To stderr: stdout belongs to the verb."""
    with contextlib.suppress(OSError):  # the terminal may be closed
        print(text, file=sys.stderr, flush=True)


def give_back(folder: Path) -> None:
    """What root has made in a user's folder is the user's, who can change it and delete it."""
    owner = folder.stat()
    if owner.st_uid == 0 or os.geteuid() != 0:
        return
    for _, folders, files, here in os.fwalk(folder):  # by descriptor: a link leads nowhere else
        for name in (*folders, *files):
            with contextlib.suppress(OSError):
                if os.stat(name, dir_fd=here, follow_symlinks=False).st_uid == 0:
                    os.chown(name, owner.st_uid, owner.st_gid, dir_fd=here, follow_symlinks=False)


class Steps:
    """The installation's steps, each a process with all that it starts, and their common log.

    Attributes:
        log: the log's path.
        keep_log: whether somebody is to read it afterwards.
    """

    def __init__(self) -> None:
        self._file, name = tempfile.mkstemp(prefix="xdp-lab-install.")
        self.log, self.keep_log = Path(name), False
        self._folder = Path(tempfile.mkdtemp(prefix="xdp-lab-"))  # what a step leaves when it ends

    def close(self) -> None:
        """Take away what they left."""
        shutil.rmtree(self._folder, ignore_errors=True)
        if not self.keep_log:
            self.log.unlink(missing_ok=True)

    def step(self, what: str, work: Work) -> None:
        """Do one, while showing what it is about and how long it has taken.

        Raises:
            Broken: if it failed.
        """
        begun, mark, shown = time.monotonic(), uuid.uuid4().hex, sys.stderr.isatty()
        if not shown:
            say(f"{what} ...")
        child = os.fork()
        if child == 0:
            self._do(work, mark)
        try:
            while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
                if shown:
                    seconds, line = time.monotonic() - begun, self._last(1).strip()[:48]
                    sys.stderr.write(f"\r\033[K{what} ... {seconds:.0f} s  {line}")
                    sys.stderr.flush()
                time.sleep(0.1)  # paces the display
        except BaseException:
            _end(child, mark)
            raise
        finally:
            if shown:
                say("\r\033[K")
        if ended[1]:
            raise Broken(
                f"{self._last(8)}\nlab: {what} failed; the whole story is in {self.log}. Mend what "
                "it says and type the same again."
            )
        say(f"{what}: done in {time.monotonic() - begun:.0f} s")

    def _last(self, lines: int) -> str:
        said = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join("".join(filter(str.isprintable, line))[:160] for line in said)

    def _do(self, work: Work, mark: str) -> NoReturn:
        """In the child."""
        status = 1
        try:
            os.setsid()
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGUSR1, lambda *_: os.killpg(0, signal.SIGKILL))
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGUSR1)  # after a kill -9
            os.environ |= {MARK: mark, "TMPDIR": str(self._folder)}
            sys.stderr = os.fdopen(os.dup(2), "w")  # for say(); 2 is the commands'
            for stream, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, self._file)):
                os.dup2(file, stream)
            os.dup2(1, 2)
            work()
            status = 0
        except Exception as error:  # whatever it is, the log has it
            os.write(1, f"{error or type(error).__name__}\n".encode())
        finally:
            os._exit(status)


def _end(child: int, mark: str) -> None:
    """End a step: its group first, then whatever has its mark."""
    deadline = time.monotonic() + ENDING
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGTERM)
        while os.waitpid(child, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
            time.sleep(0.02)  # paces the look; what it waits for tells nobody
        while time.monotonic() < deadline and _marked(mark):  # dpkg writes down how far it is
            time.sleep(0.02)  # paces the look; what it waits for tells nobody
    for _ in range(10):  # one may fork while we look
        for pid in {*_marked(mark), child}:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(child, os.WNOHANG)
        time.sleep(0.01)  # paces the look; what it waits for tells nobody


def _marked(mark: str) -> set[int]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in (process / "environ").read_bytes():
                found.add(int(process.name))
    return found


def run(*words: str | Path, quiet: bool = False) -> str:
    """Run a command; what it says goes to the log, or comes back.

    Raises:
        subprocess.CalledProcessError: if it failed.
    """
    out = subprocess.PIPE if quiet else None
    return subprocess.run(words, stdout=out, check=True, text=True).stdout or ""


def works(*words: str | Path) -> bool:
    """Whether a command can be run, and says so."""
    with contextlib.suppress(OSError):
        return not subprocess.run(words, capture_output=True, check=False).returncode
    return False
