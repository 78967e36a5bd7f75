"""What guests tell while they are at work, each of the steps that are its own."""

from __future__ import annotations

import select
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..installing.steps import say
from .boot import HELLO, Machine
from .inside import NO_TIME, Step
from .outcome import WORDS, Outcome


class Guest:
    """A machine, its steps, and how far it is.

    Attributes:
        machine: where it runs.
        number: 1 for the first.
        up: whether it has said a word.
        over: whether nothing more is to come of it.
    """

    def __init__(
        self, machine: Machine, steps: Sequence[Step], outcome: Outcome, number: int
    ) -> None:
        self.machine, self.number = machine, number
        self.up = self.over = False
        self._steps, self._outcome = {step.name: step for step in steps}, outcome
        self._begun = self._since = time.monotonic()
        self._now = ""

    @property
    def name(self) -> str:
        """Whose news it is, in a line."""
        many = self._outcome.guests > 1
        return f"{self._outcome.release}{f', guest {self.number}' if many else ''}"

    @property
    def doing(self) -> tuple[int, str, str]:
        """Its number, what it is about, and for how long."""
        return self.number, self._now or "it boots", f"{time.monotonic() - self._since:.0f} s"

    def hear(self, news: dict[str, Any], shown: bool) -> None:
        """Note what it tells.

        Args:
            news: a line of it.
            shown: whether a terminal shows what is going on, so that no line need say it.
        """
        if "hello" in news:
            self.up = True
            say(f"{self.name} is up after {time.monotonic() - self._begun:.0f} s")
        elif "begins" in news:
            self._now, self._since = f"{news['begins']}", time.monotonic()
            if not shown:
                say(f"{self.name}: {self._now} ...")
        elif "step" in news:
            self._note(news["step"], news["ok"], news["said"])
        elif "end" in news:
            self.over = True

    def _note(self, step: str, ok: bool | None, said: str) -> None:
        seconds = time.monotonic() - self._since
        del self._steps[step]
        self._outcome.steps.append((step, ok, seconds, said))
        say(f"{self.name}: {step}: {WORDS[ok]} after {seconds:.0f} s; {said}")
        self._since = time.monotonic()

    def silent(self) -> bool:
        """Whether it ought to be up by now, and is not."""
        return not self.up and time.monotonic() > self._begun + HELLO[self.machine.kvm]

    def end(self, in_time: bool) -> None:
        """End it, and note the steps that it has not done.

        Args:
            in_time: whether time was left.
        """
        self.over = True
        if self._steps and (self.up or self.number > 1 or not self.machine.kvm):
            what = "the guest ended" if self.up else "it did not come up"
            why = f"{what}; at last it said: {self.machine.last_words}"
            late = self.up and not in_time
            said = NO_TIME if late else why
            first, *rest = self._steps if self.up or self.number > 1 else ["boot"]
            seconds = time.monotonic() - self._since
            left_out = {name for name, step in self._steps.items() if late and step.further}
            ok = {name: None if name in left_out else False for name in [first, *rest]}
            self._outcome.steps.append((first, ok[first], seconds, said))
            self._outcome.steps += [(name, ok[name], 0.0, "not begun") for name in rest]
            say(f"{self.name}: {first}: {WORDS[ok[first]]} after {seconds:.0f} s; {said}")
        self.machine.close()


def listen(boot: Callable[[int], Guest], number: int, outcome: Outcome, until: float) -> None:
    """Hear guests until all of them are at an end; those after the first boot once that one is up.

    Args:
        boot: starts the guest of a number.
        number: how many there are to be.
        outcome: where they note what they tell.
        until: when to stop listening, as of time.monotonic().
    """
    guests, shown = [boot(1)], sys.stderr.isatty()
    while at_work := [guest for guest in guests if not guest.over]:
        in_time = time.monotonic() < until
        ready = select.select(
            [guest.machine for guest in at_work], [], [], 1.0 if in_time else 0.0
        )[0]
        if shown:
            sys.stderr.write("\r\033[K")
        for guest in at_work:
            told = guest.machine.read() if guest.machine in ready else []
            for news in told or []:
                guest.hear(news, shown)
            if told is None or guest.over or guest.silent() or not in_time:
                guest.end(in_time)
        if guests[0].up and len(guests) < number:
            outcome.guests += 1
            say(f"{outcome.release}: another guest boots beside it, for its share of the steps")
            guests.append(boot(outcome.guests))
        if shown:
            doing = [guest.doing for guest in guests if not guest.over]
            sys.stderr.write(line(outcome.release, doing, shutil.get_terminal_size().columns))
            sys.stderr.flush()


def line(release: str, doing: Sequence[tuple[int, str, str]], columns: int) -> str:
    """What every guest is about, in a line that a terminal does not break.

    Args:
        release: the kernel.
        doing: of each guest `Guest.doing`.
        columns: the terminal's.
    """
    if not doing:
        return ""
    # The longest name that every guest may have, its number, seconds and blanks beside it.
    room = (columns - 2 - len(release)) // len(doing) - 14
    parts = []
    for number, what, seconds in doing:
        name = what if len(what) <= room else f"{what[: max(room - 1, 0)]}…"
        parts.append(f"{number}: {name} {seconds}" if len(doing) > 1 else f"{name} {seconds}")
    return f"{release}: {'; '.join(parts)}"[: columns - 1]
