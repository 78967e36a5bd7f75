"""How the lab's processes end: at a signal, soon, and with all that they started.

    supervisor      the process that was called: passes signals on, ends what does not end
      ├─ janitor    outlives the others, whatever ended them, and puts away what they leave
      └─ PID 1      of a namespace: when it ends, the kernel kills all in it; it reaps orphans
           └─ program

The program is what goes on when `become_init` returns.  PID 1 of a namespace gets no signal that it
has no handler for, and none is passed on by itself.  Sources: pid_namespaces(7), signal(7),
prctl(2) on PR_SET_PDEATHSIG.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from ..errors import LabError
from . import sandbox

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
NO_DEVICES_NO_PROGRAMS = 2 | 4 | 8  # MS_NOSUID, MS_NODEV, MS_NOEXEC
PR_SET_PDEATHSIG = 1

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FROM_TERMINAL = 0x80  # SI_KERNEL: sigaction(2)
PROGRAM = 2  # its process number in its namespace
PATIENCE = 1.5  # seconds that a program has to end by itself
LONGEST = 33  # bytes of a folder's name, so that a kernel's socket in it has a name: unix(7)

Work = Callable[[], None]


class Ended(KeyboardInterrupt):
    """A signal wants this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class _This:
    """What this process is."""

    ended = 0  # the signal that wants it to end
    supervised = False


def end_at_signals() -> None:
    """Have the first signal that ends a program raise `Ended`, and ignore those after it.

    One signal often comes twice: from a terminal to the whole group, and from the supervisor.
    """
    for number in _watched():
        signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    _This.ended = number
    for other in _watched():
        signal.signal(other, signal.SIG_IGN)
    if _This.supervised:  # the supervisor has the last word, not what dies around it
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    raise Ended(number)


def _watched() -> list[signal.Signals]:
    """Those that end a program; after nohup(1), a closed terminal is none of them."""
    ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return [one for one in ENDING if not (ignored and one == signal.SIGHUP)]


def status_of_end() -> int:
    """The exit status of a process that a signal has ended, as shells write it; 0 if none has."""
    return 128 + _This.ended if _This.ended else 0


def told_by_another() -> bool:
    """Whether a supervisor says it when a signal has ended this process."""
    return _This.supervised


def sentence(status: int) -> str:
    """What a person reads when a signal has ended the lab; empty for any other exit status."""
    number = status - 128
    if number not in ENDING:
        return ""
    what = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
    return f"lab: {what}; nothing of it is left"


def become_init(put_away: Work | None = None, is_kernel: bool = False) -> None:
    """Go on in a PID namespace, of which nothing is left when this process ends, however it does.

    Args:
        put_away: what the janitor does at the end.  Without it there is none; with it TMPDIR and
            Jupyter's runtime files are in a folder that goes with it.
        is_kernel: whether this is a Jupyter kernel.  It is interrupted without ending, and it dies
            with the server that started it.

    Raises:
        LabError: where the machine refuses the namespace.
    """
    if _This.supervised:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    watched = _watched()
    if is_kernel:  # the server interrupts the whole group, and this process with it
        watched.remove(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent(signal.SIGKILL if is_kernel else signal.SIGHUP)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*watched, signal.SIGCHLD})
    janitor = _Janitor(put_away) if put_away else None
    try:
        sandbox.call("unshare", CLONE_NEWPID)
        first = os.fork()
    except OSError as error:
        raise LabError(sandbox.REFUSED.format(error)) from error
    if first:
        status = _supervise(first, watched, patience=PATIENCE)
        _leave(status, janitor)
    _die_with_parent(signal.SIGKILL)
    try:
        sandbox.call("unshare", CLONE_NEWNS)
        sandbox.make_mounts_private()
        sandbox.mount("proc", "/proc", "proc", NO_DEVICES_NO_PROGRAMS)
        program = os.fork()
    except OSError as error:
        print("lab:", sandbox.REFUSED.format(error), file=sys.stderr, flush=True)
        os._exit(1)
    if program:
        os._exit(_supervise(program, watched))
    _This.supervised = True
    if janitor:
        janitor.forget()
    if is_kernel:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run_until_end(
    command: list[str],
    ask: signal.Signals,
    begin: Work,
    put_away: Work,
    before: Work | None = None,
    own_terminal: bool = False,
) -> NoReturn:
    """Run a program, see to its end, and exit with its status.

    Args:
        command: the program and its arguments.
        ask: the signal that this program takes as a wish to end.
        begin: what the child does before it becomes the program.
        put_away: what the janitor does at the end.
        before: what this process does before it has the child.
        own_terminal: whether the program is the one that a Ctrl-C is for.
    """
    _die_with_parent(signal.SIGHUP)
    watched = _watched()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {*watched, signal.SIGCHLD})
    janitor = _Janitor(put_away)
    child = None
    try:
        if before:
            before()
        child = os.fork()
        if child:
            status = _supervise(child, watched, PATIENCE, ask, own_terminal)
            with contextlib.suppress(ProcessLookupError):  # what it began in a group of its own
                os.killpg(child, signal.SIGKILL)
            _leave(status, janitor)
        _die_with_parent(ask)
        begin()
        for number in watched:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.execvp(command[0], command)
    except OSError as error:
        print(f"lab: {command[0]} cannot be run: {error.strerror}", file=sys.stderr, flush=True)
        _leave(127, None if child == 0 else janitor)


def _leave(status: int, janitor: _Janitor | None) -> NoReturn:
    if janitor:
        janitor.call()
    with contextlib.suppress(OSError):  # the terminal may be closed
        if said := sentence(status):
            print(said, file=sys.stderr, flush=True)
    os._exit(status)


def _die_with_parent(number: int) -> None:
    parent = os.getppid()
    sandbox.call("prctl", PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def _supervise(
    child: int,
    watched: Sequence[signal.Signals],
    patience: float = float("inf"),
    passed: signal.Signals | None = None,
    own_terminal: bool = False,
) -> int:
    """Pass signals on to a child until it has ended, and reap whatever else becomes ours.

    Args:
        child: its process number.
        watched: the signals; they are blocked, as SIGCHLD is.
        patience: seconds after the first signal, after which the child is killed.
        passed: the signal to pass on in place of each.
        own_terminal: whether a Ctrl-C is the child's alone; from the terminal it has it already.

    Returns:
        its exit status: 128 and the number of the signal that ended it, if one did.
    """
    first, deadline = 0, float("inf")
    while True:
        with contextlib.suppress(ChildProcessError):
            while (reaped := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                if reaped[0] == child:
                    code = os.waitstatus_to_exitcode(reaped[1])
                    return 128 + first if first else code if code >= 0 else 128 - code
        wait = min(deadline - time.monotonic(), 3600.0)
        if wait <= 0:
            deadline = float("inf")
            os.kill(child, signal.SIGKILL)
            continue
        news = signal.sigtimedwait({*watched, signal.SIGCHLD}, wait)
        if news and news.si_signo != signal.SIGCHLD:
            if own_terminal and news.si_signo == signal.SIGINT and news.si_code == FROM_TERMINAL:
                continue
            first = first or news.si_signo
            deadline = min(deadline, time.monotonic() + patience)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, passed or news.si_signo)


class _Janitor:
    """A process that waits for the end of the one that made it, and then puts things away.

    Until then TMPDIR and JUPYTER_RUNTIME_DIR name a folder that is this user's alone: in it are
    the sockets of kernels, and what Jupyter writes of tokens and keys.
    """

    def __init__(self, put_away: Work) -> None:
        where = tempfile.gettempdir()
        folder = tempfile.mkdtemp(prefix="xdp-lab-", dir=where if len(where) < LONGEST else "/tmp")
        sleeping, self._awake = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._awake)
            with contextlib.suppress(BaseException):
                self._wait(sleeping, Path(folder), put_away)
            os._exit(0)
        os.close(sleeping)
        os.environ["TMPDIR"], os.environ["JUPYTER_RUNTIME_DIR"] = folder, f"{folder}/jupyter"
        tempfile.tempdir = None  # it remembers the one before

    @staticmethod
    def _wait(sleeping: int, folder: Path, put_away: Work) -> None:
        os.setsid()
        os.chdir("/")
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):  # whoever reads them must not wait for this process
            os.dup2(nothing, stream)
        os.read(sleeping, 1)  # returns when the other end is closed, by whatever it was
        for _ in range(20):  # after a kill -9, some are just ending
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(0.05)  # paces the next try; who is ending tells nobody
        put_away()

    def forget(self) -> None:
        """Leave it to the process that made it."""
        os.close(self._awake)

    def call(self) -> None:
        """Have it do its work now, and wait for that."""
        os.close(self._awake)
        os.waitpid(self._pid, 0)


def pid_namespaces_of(status: str) -> list[int]:
    """A process's number in each PID namespace that it is in, from /proc/PID/status: proc(5)."""
    line = next(line for line in status.splitlines() if line.startswith("NSpid:"))
    return [int(number) for number in line.split()[1:]]
