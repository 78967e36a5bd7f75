"""Work in a forked process, which may end in any way without harm to this one.

The child has this process's memory as it was, and none of its other threads.  What it finds out it
sends back as text, with open files if need be: unix(7), SCM_RIGHTS.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import struct
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

LENGTHS = struct.Struct("=QQ")  # of what was printed so far, and of the message
PR_SET_PDEATHSIG = 1
MOST_BYTES = 64 * 2**20  # of a message; the largest program with all that clang says is far smaller
MOST_CROWDED = 4.0  # times; where more is wanted, somebody waits for an answer nevertheless
MOST_FILES = 250  # in one message; the kernel's SCM_MAX_FD is 253


def crowding() -> float:
    """How many times as long as alone a work may take here, since others want the CPUs as well.

    Source: getloadavg(3); of the last minute.
    """
    wanted = os.getloadavg()[0] / len(os.sched_getaffinity(0))
    return min(MOST_CROWDED, max(1.0, wanted))


class Message(NamedTuple):
    """What a child sent: a text, and the descriptors of files that are this process's now.

    Attributes:
        printed: what it had written to its stdout and stderr since its message before.
    """

    text: str
    files: list[int]
    printed: str


class Garbled(Exception):
    """What came from a child is no message: something else wrote to its socket."""


class Parent:
    """The child's end of the talk."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def tell(self, text: str, files: Sequence[int] = ()) -> None:
        """Send one message."""
        data = text.encode()
        printed = os.fstat(1).st_size
        socket.send_fds(self._end, [LENGTHS.pack(printed, len(data))], list(files))
        self._end.sendall(data)

    def become(self, command: list[str], source: int, output: int) -> None:
        """Run a program in the child's place; whoever listens hears that it has ended.

        Args:
            command: the program and its arguments.
            source: the file that it reads from.
            output: the file that it writes to.

        Raises:
            OSError: if there is no such program.
        """
        os.dup2(source, 0)
        os.dup2(output, 1)
        os.set_inheritable(self._end.fileno(), True)
        os.execvp(command[0], command)


class Child:
    """A forked process at work; it ends with the block, with all that it started.

    Use it as a context manager.
    """

    def __init__(
        self, work: Callable[[Parent], None], inherits: bool = True, kept: Sequence[int] = ()
    ) -> None:
        """Fork.

        Args:
            work: what the child does; when it returns or raises, the child is over.
            inherits: whether the files that are open here are open in the child as well.
            kept: those that are, even so.
        """
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115
        self._read = 0  # bytes of that
        self._status: int | None = None
        self._end, childs_end = socket.socketpair()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # other threads stay behind
            self.pid = os.fork()
        if self.pid == 0:
            with contextlib.suppress(BaseException):
                self._begin()
                if not inherits:
                    _close_all_but({childs_end.fileno(), *kept})
                work(Parent(childs_end))
            os._exit(0)
        childs_end.close()

    def _begin(self) -> None:
        os.setpgid(0, 0)
        # One that is ended takes those along that it has forked itself: prctl(2).
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        self._end.close()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for stream, file in ((0, nothing), (1, self._printed.fileno()), (2, 1)):
            os.dup2(file, stream)
        # A kernel's own streams would speak to its server, from a process that may not.
        sys.stdout, sys.stderr = (os.fdopen(n, "w", 1, closefd=False) for n in (1, 2))
        signal.signal(signal.SIGABRT, signal.SIG_DFL)  # no trace of Python's when a library ends it

    def has_told(self, seconds: float) -> bool:
        """Whether a message, or its end, has come within so many seconds."""
        waiting = select.poll()
        waiting.register(self._end, select.POLLIN)
        return bool(waiting.poll(1000 * seconds))

    def listen(self, seconds: float) -> Message | None:
        """The child's next message; None if it has ended.

        Args:
            seconds: to wait for it, on a machine that has little else to do; see crowding().

        Raises:
            TimeoutError: when it has not come by then.
            Garbled: when something else has come.
        """
        begun = time.monotonic()

        def left() -> float:
            return begun + seconds * crowding() - time.monotonic()

        head, files = self._receive(LENGTHS.size, left)
        if len(head) < LENGTHS.size:
            return None
        printed, length = LENGTHS.unpack(head)
        if length > MOST_BYTES or printed > os.fstat(self._printed.fileno()).st_size:
            raise Garbled
        body, _ = self._receive(length, left)
        return Message(body.decode(errors="replace"), files, self.printed(printed))

    def _receive(self, size: int, left: Callable[[], float]) -> tuple[bytes, list[int]]:
        data, files = b"", list[int]()
        waiting = select.poll()  # not select(2), which knows no descriptor above 1,023
        waiting.register(self._end, select.POLLIN)
        while len(data) < size:
            while not waiting.poll(1000 * max(0.0, left())):
                if left() <= 0:
                    raise TimeoutError
            with contextlib.suppress(ConnectionResetError):  # it ended before it read all of ours
                part, sent, _, _ = socket.recv_fds(self._end, size - len(data), MOST_FILES)
                files += sent
                if part:
                    data += part
                    continue
            break
        return data, files

    def status(self) -> int:
        """How it ended: its exit status, or a signal's number, negative."""
        if self._status is None:
            _, status = os.waitpid(self.pid, 0)
            self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def printed(self, end: int | None = None) -> str:
        """What it has written to its stdout and stderr since its last message.

        Args:
            end: where to stop, in bytes from the beginning; None for all.
        """
        file = self._printed.fileno()
        end = os.fstat(file).st_size if end is None else end
        begun, self._read = self._read, end
        return os.pread(file, end - begun, begun).decode(errors="replace")

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *error: object) -> None:
        if self._status is None:  # else the number may be another's by now
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)  # with the programs that it started
            with contextlib.suppress(ProcessLookupError):  # before it had a group of its own
                os.kill(self.pid, signal.SIGKILL)
        self.status()
        self._end.close()
        self._printed.close()


def _close_all_but(kept: set[int]) -> None:
    """Leave nothing open but the standard streams and a few files."""
    for file in map(int, os.listdir("/proc/self/fd")):
        if file > 2 and file not in kept:
            with contextlib.suppress(OSError):  # the folder itself was open, too
                os.close(file)
