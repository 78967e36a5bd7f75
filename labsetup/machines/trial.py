"""lab test --vm: the lab on stock kernels, in a virtual machine."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from ..errors import LabError
from ..installing.steps import say
from .boot import HELLO, Job, Machine, memory
from .division import divide
from .guest import Guest, listen
from .inside import SLOW, STEPS, Step
from .outcome import Outcome
from .packages import NEWEST, Stock, Tools, fetch

KERNELS = ("6.1", NEWEST)  # Debian 12's, and the newest
MINUTES = 20.0
SKIPPED = 77  # as automake has it
REPO = Path(__file__).parents[2]


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
    outcomes, kvm = [], os.access("/dev/kvm", os.W_OK)
    for stock in kernels:
        until = time.monotonic() + 60 * minutes
        outcome = _run(stock, tools, machine, until, kvm)
        if kvm and not outcome.steps:
            say(f"{stock.release} does not come up with KVM here; it is emulated, which is slow")
            kvm = False  # nor do the kernels after it
            outcome = _run(stock, tools, machine, until, kvm)
        outcomes.append(outcome)
    print("\n\n".join(map(repr, outcomes)))
    return 0 if all(one.ok for one in outcomes) and not (missing and wanted) else 1


def _run(stock: Stock, tools: Tools, machine: str, until: float, kvm: bool) -> Outcome:
    outcome = Outcome(stock.release, "with KVM" if kvm else "emulated")
    number, megabytes = side_by_side(kvm)
    shares = divide(STEPS, number)
    with tempfile.TemporaryDirectory(prefix="xdp-lab-") as parent, ExitStack() as machines:

        def boot(number: int) -> Guest:
            folder = Path(parent, f"{number}")
            folder.mkdir()
            steps = shares[number - 1]
            guest = Machine(
                *(stock, tools, _job(steps, until, kvm), folder),
                kvm=kvm,
                machine=machine,
                megabytes=megabytes,
            )
            return Guest(machines.enter_context(guest), steps, outcome, number)

        say(f"{stock.release} boots, {outcome.how} ({HELLO[kvm]:.0f} s at most)")
        listen(boot, len(shares), outcome, until)
    return outcome


def side_by_side(kvm: bool) -> tuple[int, int]:
    """How many guests, and each one's megabytes: an emulated one keeps a single CPU busy.

    Raises:
        LabError: where there is no memory for one.
    """
    if not kvm and len(os.sched_getaffinity(0)) >= 2:
        try:
            return 2, memory(2)
        except LabError as error:
            one = memory()
            say(f"{error}; so one does all")
            return 1, one
    return 1, memory()


def _job(steps: list[Step], until: float, kvm: bool) -> Job:
    inside = [sys.executable, "-P", "-m", "labsetup.machines.inside", "steps"]
    seconds, slow = until - time.monotonic() - 30, 1 if kvm else SLOW
    return Job(REPO, [*inside, f"{seconds:.0f}", f"{slow}", *(step.name for step in steps)])
