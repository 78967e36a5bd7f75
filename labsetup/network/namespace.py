"""A network namespace in which commands run.

It lies in the sandbox's own /run/netns, so `ip netns exec NAME` finds it from any shell in the
sandbox.  Source: ip-netns(8).
"""

from __future__ import annotations

import contextlib
import itertools
import shlex
import shutil
import subprocess
import uuid
from collections.abc import Callable, Mapping, Sequence

from ..arguments import amount, checked
from ..errors import LabError
from ..tools import installation
from . import sandbox
from .in_turn import in_turn
from .overlooked import Overlooked
from .process import Background, Result, end, last_words, launch
from .session import current
from .sysctl import set_sysctls

SHELL_SIGNS = {"|", "||", "&", "&&", "<", ">", ">>", "2>&1"}


def _last_lines(said: str) -> str:
    """The end of what a command said, from the beginning of a line on."""
    end = said.strip()[-200:]
    return end.partition("\n")[2] or end if len(said.strip()) > 200 else end


class Namespace:
    """A machine of the lesson's network, as far as commands see it.

    Attributes:
        name: as `ip netns` lists it.
        open: whether its network still is there.
    """

    def __init__(self, name: str, sysctls: Mapping[str, int]) -> None:
        self.name = name
        self.open = True
        self._mark, self._numbers = uuid.uuid4().hex, itertools.count()
        self._children: list[subprocess.Popen[str]] = []
        self._started: dict[str, Background] = {}
        self._to_close: list[Callable[[], object]] = []
        sandbox.new_namespace(name)
        with self.inside():
            set_sysctls(sysctls)

    def inside(self) -> contextlib.AbstractContextManager[None]:
        """A context in which this thread's sockets and children belong to the host.

        Raises:
            LabError: once the network is gone.
        """
        if not self.open:
            raise LabError(
                f"{self.name} is gone: its network was built anew or closed; take the host from "
                "the new network"
            )
        return sandbox.in_namespace(self.name)

    def _words(self, command: str | Sequence[str]) -> list[str]:
        """A command as words, of which the first one is a program that is installed."""
        try:
            words = shlex.split(command) if isinstance(command, str) else [str(w) for w in command]
        except ValueError as error:
            raise LabError(f"the command {command} cannot be read: {error}") from None
        if not words:
            raise LabError(f"{self.name} was given an empty command; name a program to run")
        if isinstance(command, str) and (signs := SHELL_SIGNS.intersection(words)):
            raise LabError(
                f"commands run without a shell, and {min(signs)} is the shell's; write "
                f'"sh -c {shlex.quote(command)}", or give the words as a list'
            )
        if shutil.which(words[0]) is None:
            known = installation(words[0])
            mend = f"type: {known}" if known else "check its spelling"
            raise LabError(f"{self.name} has no command {words[0]}; {mend}")
        return words

    def _shown(self, words: Sequence[str]) -> str:
        """The same command for a terminal."""
        return f"ip netns exec {self.name} {shlex.join(words)}"

    def _launch(self, words: Sequence[str]) -> tuple[subprocess.Popen[str], str]:
        """The process of a command, and its mark."""
        mark = f"{self._mark}.{next(self._numbers)}."
        with self.inside():
            process = launch(words, mark)
        self._children = [child for child in self._children if child.poll() is None] + [process]
        return process, mark

    @checked
    def run(self, command: str | Sequence[str], timeout: float = 20) -> Result:
        """Run a command on this host, without a shell, and wait for it.

        Args:
            command: the words of the command, or one string that is split as a shell splits.
            timeout: seconds, after which it is ended.

        Raises:
            LabError: when the command does not exist, or does not end in time.
        """
        amount("the timeout of run() in seconds", timeout, 0, 86_400)
        words = self._words(command)
        with in_turn(words[0], timeout):
            output, status = self._end_of(words, timeout)
        result = Result(self._shown(words), output, status)
        current().one(Overlooked).watch(result)
        return result

    def _end_of(self, words: Sequence[str], timeout: float) -> tuple[str, int]:
        """What a command printed, and its exit status."""
        shown, (process, mark) = self._shown(words), self._launch(words)
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            end([process], mark)
            raise LabError(
                f"«{shown}» was ended after {timeout:g} s; give it an end of its own, as -c 3 does "
                "for ping, or give run() a longer timeout. At last it said: "
                f"{_last_lines(last_words(process)) or 'nothing'}"
            ) from None
        except KeyboardInterrupt:
            end([process], mark)
            raise LabError(f"«{shown}» was interrupted; start() runs it beside the cells") from None
        except BaseException:
            end([process], mark)
            raise
        return output, process.returncode

    @property
    def pids(self) -> list[int]:
        """The processes that were started here and go on."""
        return [child.pid for child in self._children if child.poll() is None]

    def has(self, command: str) -> bool:
        """Whether a command is installed."""
        return shutil.which(command) is not None

    @checked
    def start(self, command: str | Sequence[str]) -> Background:
        """Run a command on this host beside the notebook.

        The same command again ends the first one, as when a cell is run twice.
        """
        words = self._words(command)
        shown = self._shown(words)
        if shown in self._started:
            self._started.pop(shown).stop(quiet=0, timeout=0.5)  # some take no notice of Ctrl-C
        self._started[shown] = Background(shown, *self._launch(words))
        current().one(Overlooked).watch(self._started[shown])
        return self._started[shown]

    @checked
    def tcpdump(self, interface: str = "eth0", options: str = "") -> Background:
        """Start tcpdump on an interface, and return once it listens.

        Args:
            interface: name of one of this host's interfaces.
            options: more options, or a filter such as ``icmp``.
        """
        dump = self.start(f"tcpdump -tnl --immediate-mode -i {interface} {options}")
        try:
            dump.wait_for("listening on")
        except LabError:
            dump.stop()
            raise
        return dump

    def at_close(self, end: Callable[[], object]) -> None:
        """Have a function called before the host goes: an open socket would keep it alive."""
        self._to_close.append(end)

    def close(self) -> None:
        """End what runs on this host and give its namespace back."""
        while self._to_close:
            self._to_close.pop()()
        end(self._children, f"{self._mark}.")
        self.open = False
        sandbox.delete_namespace(self.name)
