"""Somebody at a terminal: what is typed there, and what it shows."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

CONTROL = re.compile(r"\x1b\[[?\d;]*[A-Za-z]|\r")


class Terminal:
    """A program at a terminal of its own.

    Attributes:
        shown: all that it has shown so far, without what moves the cursor.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.shown = ""
        self._seen = 0
        self._mark = uuid.uuid4().hex
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            os.environ.update({**environment, "XDP_LAB_TEST": self._mark})
            os.execvp(command[0], [*command])

    def types(self, text: str) -> None:
        """Keys, as a person would press them."""
        os.write(self._file, text.encode())

    def shows(self, words: str, seconds: float = 20) -> str:
        """Wait until it shows something, after what was waited for last; gives what came."""
        end = time.monotonic() + seconds
        while words not in self.shown[self._seen :] and time.monotonic() < end:
            if select.select([self._file], [], [], 0.1)[0]:
                try:
                    part = os.read(self._file, 65536)
                except OSError:  # EIO: nobody is at its other end any more
                    break
                self.shown = CONTROL.sub("", self.shown + part.decode(errors="replace"))
        came = self.shown[self._seen :]
        assert words in came, f"no {words!r} in {came!r}"
        self._seen += came.index(words) + len(words)
        return came

    def ends(self) -> int:
        """Its exit status, once it has ended."""
        with contextlib.suppress(OSError):
            while os.read(self._file, 65536):
                pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def left(self, seconds: float = 3) -> list[str]:
        """What there still is of it after so long: itself, and all that was started there."""
        end = time.monotonic() + seconds
        while (found := self._there()) and time.monotonic() < end:
            time.sleep(0.05)  # polls: of a kill -9 nobody tells
        return found

    def _there(self) -> list[str]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self._mark.encode() in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_text().replace("\0", " "))
        return found

    def close(self) -> None:
        """As who closes the window."""
        os.close(self._file)
        with contextlib.suppress(ChildProcessError, ProcessLookupError):
            for _ in range(60):
                if os.waitpid(self.pid, os.WNOHANG)[0]:
                    return
                time.sleep(0.05)  # polls: it ends at the signal, soon
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
