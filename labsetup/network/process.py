"""Commands on a host: what they printed, and those that run beside the notebook.

A command may start others, in a pipe, in the background or as a daemon.  All of them have its mark
in their environment, and end with it.  Source: proc(5), /proc/PID/environ and /proc/PID/stat.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ..errors import LabError

MARK = "XDP_LAB_COMMAND"
DYING = 5.0  # seconds that a killed process may take; one in a driver takes for ever
LINGERING = 1.0  # seconds that others of a pipe have to say their last, after the first of it


def marked(mark: str) -> set[int]:
    """The processes that have a mark, or one that begins so."""
    wanted, found = f"\0{MARK}={mark}".encode(), set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended while we looked
            if wanted in b"\0" + (process / "environ").read_bytes():
                found.add(int(process.name))
    return found


def kill_marked(mark: str) -> None:
    """End all processes that have a mark, at once."""
    deadline, unseen = time.monotonic() + DYING, 0
    while unseen < 2 and time.monotonic() < deadline:
        pids = marked(mark)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # One that is just becoming another program shows no environment at that moment.
        unseen = 0 if pids else unseen + 1
        time.sleep(0.005)  # paces the look; what it waits for tells nobody


def launch(words: Sequence[str], mark: str) -> subprocess.Popen[str]:
    """Start a command in a session of its own: an interrupted cell must not end it.

    Args:
        words: the command.
        mark: by which it and all that it starts are known.
    """
    return subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        env=os.environ | {MARK: mark},
    )


def end(processes: Sequence[subprocess.Popen[str]], mark: str) -> None:
    """End commands with all that they started, at once.

    Args:
        processes: the commands.
        mark: theirs, or what their marks begin with.
    """
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            if process.poll() is None:  # else its number may be another's
                os.killpg(process.pid, signal.SIGKILL)
    kill_marked(mark)
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(DYING)


def last_words(process: subprocess.Popen[str]) -> str:
    """What an ended command had printed; somebody may still hold the other end."""
    try:
        return process.communicate(timeout=LINGERING)[0]
    except subprocess.TimeoutExpired as error:
        said = error.output or b""
        return said if isinstance(said, str) else said.decode(errors="replace")


class Result:
    """What a command printed and how it ended.

    Attributes:
        command: the same command for a terminal inside the notebook's network.
        output: what it wrote to stdout and stderr, in order.
        status: its exit status; 0 when all went well.
    """

    def __init__(self, command: str, output: str, status: int) -> None:
        self.command, self._output, self._status = command, output, status
        self.looked_at = False

    @property
    def output(self) -> str:
        self.looked_at = True
        return self._output

    @property
    def status(self) -> int:
        self.looked_at = True
        return self._status

    @property
    def went_well(self) -> bool:
        """Whether its exit status tells so."""
        return self._status == 0

    def __repr__(self) -> str:
        ending = "" if self.status == 0 else f"\n(exit status {self.status})"
        return f"$ {self.command}\n{self.output.rstrip()}{ending}"

    def __contains__(self, text: str) -> bool:
        return text in self.output


class Background:
    """A command that runs beside the notebook until it is stopped, such as tcpdump.

    Use it as a context manager, or call `stop()`.  It ends with the notebook in any case.
    """

    def __init__(self, command: str, process: subprocess.Popen[str], mark: str) -> None:
        self.command = command
        self._process, self._mark = process, mark
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._ended = self.looked_at = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    @property
    def output(self) -> str:
        """What it has printed so far."""
        self.looked_at = True
        return "".join(self._lines)

    def wait_for(self, text: str, timeout: float = 10) -> None:
        """Return once it has printed *text*.

        Raises:
            LabError: when it ends, or *timeout* seconds pass, without it.
        """
        with self._news:
            self._news.wait_for(lambda: text in self.output or self._ended, timeout)
        if text not in self.output:
            what = (
                "ended without printing" if self._ended else f"within {timeout:g} s did not print"
            )
            said = self.output.strip() or "nothing"
            raise LabError(f"«{self.command}» {what} {text!r}; it said: {said}")

    def stop(self, quiet: float = 0.1, timeout: float = 5) -> Result:
        """Interrupt it as Ctrl-C does, and return what it printed.

        Args:
            quiet: first wait until it has printed nothing for this many seconds,
            timeout: but for no longer than this; and so long again for its end.
        """
        self.looked_at = True
        deadline = time.monotonic() + timeout
        with self._news:
            while not self._ended and self._news.wait(quiet) and time.monotonic() < deadline:
                pass
        with contextlib.suppress(ProcessLookupError):
            if self.running:
                os.killpg(self.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        self._reader.join(LINGERING)
        end([self._process], self._mark)
        self._reader.join(LINGERING)
        status = self._process.returncode
        return Result(self.command, self.output, -signal.SIGKILL if status is None else status)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    @property
    def went_well(self) -> bool | None:
        """Whether it ended well, or was made to end; None while it runs."""
        status = self._process.poll()
        return None if status is None else status <= 0

    def kill(self) -> None:
        """End it as a crash does: at once, and without a word."""
        end([self._process], self._mark)

    def __enter__(self) -> Background:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "\n(still running)" if self.running else ""
        state = state or (
            f"\n(exit status {self._process.returncode})" if self.went_well is False else ""
        )
        return f"$ {self.command}\n{self.output.rstrip()}{state}"
