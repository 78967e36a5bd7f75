"""lab test --vm: the lab on stock kernels, in a virtual machine."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import LabError
from ..installing.steps import say
from .boot import HELLO, Job, Machine
from .inside import SLOW, STEPS
from .packages import NEWEST, Stock, Tools, fetch

KERNELS = ("6.1", NEWEST)  # Debian 12's, and the newest
MINUTES = 20.0
SKIPPED = 77  # as automake has it
REPO = Path(__file__).parents[2]


@dataclass
class Outcome:
    """What a kernel did.

    Attributes:
        release: as uname -r has it.
        how: whether the processor was emulated.
        steps: of each step its name, whether all was well, seconds, and a line on it.
    """

    release: str
    how: str = ""
    steps: list[tuple[str, bool, float, str]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every step was well."""
        return len(self.steps) == len(STEPS) and all(step[1] for step in self.steps)

    def __repr__(self) -> str:
        lines = [f"Linux {self.release}, {self.how}"]
        width = max(len(step.name) for step in STEPS)
        for name, ok, seconds, said in self.steps:
            lines.append(
                f"  {'ok    ' if ok else 'FAILED'}  {name:{width}}  {seconds:5.0f} s  {said}"
            )
        return "\n".join(lines)


def trial(wanted: Sequence[str], minutes: float = MINUTES) -> int:
    """Boot kernels of the distribution one after the other, and try the lab on each.

    Args:
        wanted: the beginnings of versions, or ``newest``; none for `KERNELS`.
        minutes: for each of them.

    Returns:
        0 when all was well, 77 where this machine cannot do it, and else 1.
    """
    machine = platform.machine()
    try:
        tools, kernels, missing = fetch(list(wanted or KERNELS), machine)
    except LabError as error:
        say(f"lab: skipped: {error}")
        return SKIPPED
    for one in missing:
        say(f"lab: {one}")
    outcomes = []
    for stock in kernels:
        outcomes.append(_try(stock, tools, machine, time.monotonic() + 60 * minutes))
    print("\n\n".join(map(repr, outcomes)))
    return 0 if all(one.ok for one in outcomes) and not (missing and wanted) else 1


def _try(stock: Stock, tools: Tools, machine: str, until: float) -> Outcome:
    """With KVM where a guest comes up with it, and else emulated."""
    if os.access("/dev/kvm", os.W_OK):
        outcome = _run(stock, tools, machine, until, kvm=True)
        if outcome.steps:
            return outcome
        say(f"{stock.release} does not come up with KVM here; it is emulated, which is slow")
    return _run(stock, tools, machine, until, kvm=False)


def _run(stock: Stock, tools: Tools, machine: str, until: float, kvm: bool) -> Outcome:
    slow = 1 if kvm else SLOW
    seconds = until - time.monotonic()
    inside = [sys.executable, "-P", "-m", "labsetup.machines.inside"]
    job = Job(REPO, [*inside, "all", f"{seconds - 30:.0f}", f"{slow}"])
    outcome = Outcome(stock.release, "with KVM" if kvm else "emulated")
    with tempfile.TemporaryDirectory(prefix="xdp-lab-") as folder:
        begun = time.monotonic()
        say(f"{stock.release} boots, {outcome.how} ({HELLO[kvm]:.0f} s at most)")
        with Machine(stock, tools, job, Path(folder), kvm, machine) as guest:
            _listen(guest, outcome, begun, until)
            if not outcome.steps and not kvm:
                said = f"it did not come up; at last it said: {guest.last_words}"
                outcome.steps.append(("boot", False, time.monotonic() - begun, said))
    return outcome


def _listen(guest: Machine, outcome: Outcome, begun: float, until: float) -> None:
    """Note what a guest tells, and show what it is about."""
    up, now, since, shown = False, "", begun, sys.stderr.isatty()
    for news in guest.told(until):
        if news is None:
            if not up and time.monotonic() > begun + HELLO[guest.kvm]:
                return
            if shown:
                line = f"{now or 'it boots'} ... {time.monotonic() - since:.0f} s"
                sys.stderr.write(f"\r\033[K{outcome.release}: {line}")
                sys.stderr.flush()
            continue
        if shown:
            sys.stderr.write("\r\033[K")
        if "hello" in news:
            up = True
            say(f"{news['hello']} is up after {time.monotonic() - begun:.0f} s")
        elif "begins" in news:
            now, since = f"{news['begins']}", time.monotonic()
            if not shown:
                say(f"{outcome.release}: {now} ...")
        elif "step" in news:
            _note(outcome, news, time.monotonic() - since)
        elif "end" in news:
            return
    if now and len(outcome.steps) < len(STEPS):
        why = f"the guest ended; at last it said: {guest.last_words}"
        said = "no time was left; --minutes gives more" if time.monotonic() >= until else why
        done = len(outcome.steps)
        seconds = time.monotonic() - since
        outcome.steps.append((STEPS[done].name, False, seconds, said))
        outcome.steps += [(step.name, False, 0.0, "not begun") for step in STEPS[done + 1 :]]


def _note(outcome: Outcome, news: dict[str, Any], seconds: float) -> None:
    ok, said = news["ok"], news["said"]
    outcome.steps.append((news["step"], ok, seconds, said))
    state = "ok" if ok else "FAILED"
    say(f"{outcome.release}: {news['step']}: {state} in {seconds:.0f} s; {said}")
