"""Who does which step, where more than one guest is at work."""

from __future__ import annotations

from collections.abc import Sequence

from .inside import Step

LATER = 25.0  # seconds: a further guest boots once the first is up


def divide(steps: Sequence[Step], guests: int) -> list[list[Step]]:
    """Divide steps over guests: the longest first, each to whoever is done earliest.

    The first guest begins with the first step, which is a short one: it shows soon that the kernel
    comes up.  Whoever does a step, the steps of a guest keep their order.

    Args:
        steps: in the order of the table.
        guests: how many.
    """
    first, *others = (step for step in steps if not step.further)
    shares = [[first], *([] for _ in range(guests - 1))]
    busy = [first.takes, *(LATER for _ in range(guests - 1))]
    further = [step for step in steps if step.further]
    for step in [*sorted(others, key=lambda step: -step.takes), *further]:
        guest = busy.index(min(busy))
        shares[guest].append(step)
        busy[guest] += step.takes
    return [sorted(share, key=steps.index) for share in shares]
