"""Commands on a host: what they printed, and those that run beside the notebook."""

from __future__ import annotations

import signal
import subprocess
import threading
import time

from ..errors import LabError


class Result:
    """What a command printed and how it ended.

    Attributes:
        command: the same command for a terminal inside the notebook's network.
        output: what it wrote to stdout and stderr, in order.
        status: its exit status; 0 when all went well.
    """

    def __init__(self, command: str, output: str, status: int) -> None:
        self.command, self.output, self.status = command, output, status

    def __repr__(self) -> str:
        ending = "" if self.status == 0 else f"\n(exit status {self.status})"
        return f"$ {self.command}\n{self.output.rstrip()}{ending}"

    def __contains__(self, text: str) -> bool:
        return text in self.output


class Background:
    """A command that runs beside the notebook until it is stopped, such as tcpdump.

    Use it as a context manager, or call `stop()`.  It ends with the notebook in any case.
    """

    def __init__(self, command: str, process: subprocess.Popen[str]) -> None:
        self.command = command
        self._process = process
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
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
        deadline = time.monotonic() + timeout
        with self._news:
            while not self._ended and self._news.wait(quiet) and time.monotonic() < deadline:
                pass
        if self.running:
            self._process.send_signal(signal.SIGINT)
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._reader.join(timeout)
        return Result(self.command, self.output, status)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it as a crash does: at once, and without a word."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Background:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "\n(still running)" if self.running else ""
        return f"$ {self.command}\n{self.output.rstrip()}{state}"
