"""How much a router moves when its list of next hops changes: RFC 2992, for any change.

There is no network: each change is worked out exactly, the lesson's own first. Which other rule
gives the wrong number is told from the number.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

from labsetup import LabError
from labsetup.practice.checking import Wrong

ASKED = "The check runs your function without a network. How would you find it with pen and paper?"
FOUR = ["s1", "s2", "s3", "s4"]
CASES = {
    "s1 is taken out of four": (FOUR, FOUR[1:]),
    "s2 is taken out of four": (FOUR, ["s1", "s3", "s4"]),
    "s4 is appended to three": (FOUR[:3], FOUR),
    "s4 comes in the middle of three": (FOUR[:3], ["s1", "s4", "s2", "s3"]),
    "a router restarts, and has them in another order": (FOUR, ["s2", "s1", "s3", "s4"]),
    "a router has them the other way round": (FOUR, FOUR[::-1]),
    "nothing changes": (FOUR, FOUR),
    "two of five go at once": ([*FOUR, "s5"], ["s1", "s3", "s5"]),
    "one stays, of four": (FOUR, ["s3"]),
    "all are new": (FOUR, ["s5", "s6"]),
}


def share(before: list[str], after: list[str]) -> float:
    """As the router does it, exactly."""
    stays = Fraction(0)
    for i, name in enumerate(before):
        for j, other in enumerate(after):
            begins = max(Fraction(i, len(before)), Fraction(j, len(after)))
            ends = min(Fraction(i + 1, len(before)), Fraction(j + 1, len(after)))
            if name == other and ends > begins:
                stays += ends - begins
    return float(1 - stays)


def least(before: list[str], after: list[str]) -> float:
    """What must move, since each name has its share before and after."""
    return 1 - len(set(before) & set(after)) * min(1 / len(before), 1 / len(after))


def check(router_moves: Callable[[list[str], list[str]], float | None]) -> None:
    for what, (before, after) in CASES.items():
        sent = f"{what}: {', '.join(before)} → {', '.join(after)}"
        right = share(before, after)
        try:
            found = router_moves(list(before), list(after))
        except LabError:  # whose words, that the host is gone, would send readers the wrong way
            raise Wrong(
                sent, f"{right:.3f}", "it asks a network, and none is here", ASKED
            ) from None
        if found is None:
            raise Wrong(sent, f"{right:.3f}", "None", "Does your function return the share?")
        if isinstance(found, Decimal):  # which takes no float beside it
            found = float(found)
        if abs(found - right) <= 0.01:
            continue
        think = "Draw both lists as bars of the same length. Where do their names agree?"
        if abs(found - 100 * right) < 0.2:
            think = "Is that in percent? The share is a number from 0 to 1."
        elif abs(found - (1 - right)) < 0.002:
            think = "Is that the share of those that stay?"
        elif abs(found - least(before, after)) < 0.002:
            think = "That is the least possible. A router moves more: all borders move."
        elif found < least(before, after):
            think = "Fewer than must. Who moves when a piece gets shorter, for a new one?"
        elif abs(found - _modulo(before, after)) < 0.002:
            think = "That is what modulo moves. A router cuts the range into pieces."
        raise Wrong(sent, f"{right:.3f}", f"{found:.3f}", think)


def _modulo(before: list[str], after: list[str]) -> float:
    numbers = range(len(before) * len(after))
    return sum(before[n % len(before)] != after[n % len(after)] for n in numbers) / len(numbers)
