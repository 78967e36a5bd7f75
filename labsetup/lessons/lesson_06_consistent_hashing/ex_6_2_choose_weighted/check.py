"""Shares by weight, and still nobody moves who need not.

The shares come first, for weights of several kinds; then who moves when one weight changes; then
whether the order in the dict has a say.  At the end hash() is that of another process.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from labsetup import flow_hash, random_flows
from labsetup.balancing.hashing import Hashes, Names
from labsetup.practice.checking import Wrong

from ..ex_6_1_choose.check import SALT, another_process

Weights = dict[str, int]
Choose = Callable[[np.uint64, Weights], object]
Shares = dict[str, float]

FLOWS = 600
LIGHT = {"s1": 1, "s2": 1, "s3": 2}
CASES = [  # weights, and those that come after them
    (LIGHT, LIGHT | {"s3": 3}),
    (LIGHT, LIGHT | {"s1": 2}),
    ({"s1": 3, "s2": 2, "s3": 1}, {"s1": 3, "s2": 2, "s3": 1, "s4": 2}),
]
SHARES = (
    LIGHT,
    {"s1": 1, "s2": 5},
    dict.fromkeys(("s1", "s2", "s3"), 3),
    dict.fromkeys(("s1", "s2", "s3", "s4", "s5", "s6"), 1) | {"s7": 4},
)
ALIKE = {"s11": 2, "s1": 12}  # s11's first two and s1's last two are easily one name
MOVES = "Has every score stayed what it was, but for those of the one server?"
ONE_NAME = "Two servers have one score, and the order decides. Can two of your names be the same?"
RETURN = "What does your function return, and is it one of the servers?"


def check(choose_weighted: Choose) -> None:
    hashes = flow_hash(random_flows(FLOWS), key=(6, 2))

    def chosen(weights: Weights, flows: Hashes = hashes, by: Choose = choose_weighted) -> Names:
        names = [by(flow, dict(weights)) for flow in flows]
        for name in names:
            if not (isinstance(name, str) and name in weights):
                raise Wrong(f"weights {weights}", "a name of a server", repr(name), RETURN)
        return np.array(names)

    for weights in SHARES:
        names = chosen(weights)
        wanted = {name: weight / sum(weights.values()) for name, weight in weights.items()}
        found = {name: float((names == name).mean()) for name in weights}
        # What chance does, 4.5 standard deviations of it, is no fault of a hash.
        if any(abs(found[n] - w) > 4.5 * (w * (1 - w) / FLOWS) ** 0.5 for n, w in wanted.items()):
            sent = f"{FLOWS} flows, weights {weights}"
            raise Wrong(sent, _shown(wanted), _shown(found), _thought(wanted, found))
    for weights, then in CASES:
        gains = next(name for name in then if then[name] != weights.get(name))
        before, after = chosen(weights), chosen(then)
        if stray := int(((before != after) & (after != gains)).sum()):
            happened = f"{stray} moved elsewhere"
            raise Wrong(
                f"weights {weights}, then {then}", f"who moves, moves to {gains}", happened, MOVES
            )
    for weights, think in ((LIGHT, MOVES), (ALIKE, ONE_NAME)):
        some = hashes[:150]
        moved = chosen(weights, some) != chosen(dict(reversed(weights.items())), some)
        if moved.any():
            raise Wrong(
                f"weights {weights}, and the same in another order",
                "nobody moves",
                f"{moved.sum()} moved elsewhere",
                think,
            )
    before = chosen(LIGHT)
    with another_process(choose_weighted) as elsewhere:
        if changed := int((chosen(LIGHT, by=elsewhere) != before).sum()):
            sent = f"{FLOWS} flows, where hash() is that of another Python process"
            raise Wrong(sent, "the same server", f"another one for {changed}", SALT)


def _shown(shares: Shares) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items())


def _thought(wanted: Shares, found: Shares) -> str:
    strong = max(wanted, key=wanted.__getitem__)
    if max(found.values()) < 1.25 * min(found.values()):
        return (
            "All have the same share. What does a weight change in a score? (A number of 64 bits "
            "wraps round when it is multiplied.)"
        )
    if found[strong] < 0.02:
        return (
            "The strong one never wins. What does its weight do to a large number, and to a small?"
        )
    if found[strong] > wanted[strong]:
        return "The strong one gets more than its weight. How likely is it to win, and why?"
    return "The strong one gets less than its weight. How often does it take part?"
