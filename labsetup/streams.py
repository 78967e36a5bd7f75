"""stdin, stdout and stderr as whoever called the lab left them: closed, full, or read by nobody."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import Any, TextIO


class StdoutBroken(Exception):
    """stdout does not take what is printed.

    It is no OSError: what writes a file while it prints would take it for that file's.

    Attributes:
        unread: whether its reader has gone, as head(1) does when it has read enough.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(f"stdout cannot be written: {error.strerror}")
        self.unread = error.errno == errno.EPIPE


class Printing:
    """Prints as print() does; once stdout is broken, in silence, for what else is to be completed.

    Args:
        goes_on: whether something is; else a broken stdout ends it at once.
    """

    def __init__(self, goes_on: bool) -> None:
        self._goes_on = goes_on
        self._broken: StdoutBroken | None = None

    def __call__(self, text: object, end: str = "\n") -> None:
        """Print it, and see that it has arrived."""
        if self._broken:
            return
        try:
            print(text, end=end, flush=True)
        except StdoutBroken as broken:
            if not self._goes_on:
                raise
            self._broken = broken

    def finish(self) -> None:
        """Say that stdout was broken, now that the rest is complete.

        Raises:
            StdoutBroken: if it was.
        """
        if self._broken:
            raise self._broken


class _Stdout(io.FileIO):
    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise StdoutBroken(error) from None


class _Stderr(io.FileIO):
    """What it does not take is lost: nobody could be told."""

    def write(self, data: Any) -> int:
        with contextlib.suppress(OSError):
            super().write(data)
        return len(data)


def open_closed() -> None:
    """Have nothing in the place of a stream that is closed, before another file takes its number.

    Else what is printed would go into that file, and what is read come from it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            os.set_inheritable(number, True)


def watch() -> None:
    """Have `print` say that it was stdout which could not be written, and stderr never fail."""
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = _text(_Stdout(1, "w", closefd=False), sys.stdout)
    sys.stderr = _text(_Stderr(2, "w", closefd=False), sys.stderr, line_buffering=True)


def _text(raw: io.FileIO, before: TextIO | None, line_buffering: bool = False) -> io.TextIOWrapper:
    if isinstance(before, io.TextIOWrapper):
        before.flush()
        line_buffering = line_buffering or before.line_buffering or before.write_through
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding if before else "utf-8",
        errors=before.errors if before else "backslashreplace",
        line_buffering=line_buffering,
    )


def give_up_stdout() -> None:
    """Lose what was not written, which the end of this process would try once more to write."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    sys.stdout.flush()
