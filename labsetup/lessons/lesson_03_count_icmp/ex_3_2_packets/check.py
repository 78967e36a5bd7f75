"""Every CPU counts for itself; whoever reads has to add.

The maps are of four, six and ten CPUs, and one has no entries. Which numbers were added is told
from the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from numbers import Number
from typing import Any

from labsetup.maps.values import PerCPU
from labsetup.practice.checking import Wrong, equal

Packets = Callable[[dict[int, PerCPU]], Any]  # the reader's function
Rows = Mapping[int, Sequence[int]]  # the copies of each protocol

HOW_MANY = "Do you know how many CPUs there are? There is a copy for each."
HOLDS = "A value of this dict has a copy for each CPU. How many numbers does it hold?"
WHICH = "Each protocol has a copy for each CPU. Which of the numbers did you add?"
KEYS = "What does a loop over a dict give, its keys or its values?"
SOME = (2, 4, 8)  # CPUs that a reader may have
ROWS = {  # words of an error, and what they are about
    "No module named": "That module is not installed here. Python's own sum() adds up as well.",
    "name 'np' is not": "Nothing has imported np. Python's own sum() adds up as well.",
    "KeyError": "A map has only the protocols that came in. Which keys does this one have?",
    "object is not callable": "What stands in front of the ( is no function. The .sum of a value "
    "is a number already (numpy trips over it, too: sum(copies) does not); and a name that you set "
    "to a number is one from then on.",
    "index out of range": HOW_MANY,
    "PerCPU": HOLDS,
    "values to unpack": HOLDS,
    "builtin_function_or_method": f"That is a method which nobody has called. {KEYS}",
    "int object": KEYS,
    "'int' object": f"Which of them is a number, and which holds several? {KEYS}",
    "local variable": "A name that your function sets is its own: set it inside the function, "
    "before it is used. (If it is the name sum: Python's own is hidden behind it.)",
}


def check(packets: Packets) -> None:
    cases: list[tuple[str, Rows]] = [
        ("9 TCP packets over four CPUs", {6: (2, 3, 1, 3)}),  # indices, each of them
        ("15 pings over six CPUs", {1: (7, 0, 3, 0, 0, 5)}),
        (
            "3 pings and 40 UDP packets over ten CPUs",
            {1: (1, 0, 2, *[0] * 7), 17: (10, 10, *[0] * 7, 20)},
        ),
        ("a map with no entries", {}),
    ]
    before = 0
    for what, rows in cases:
        counters = {key: PerCPU(copies) for key, copies in rows.items()}
        every = [list(copies) for copies in rows.values()]
        right = sum(map(sum, every))
        try:
            found = packets(counters)
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            think = next((t for words, t in ROWS.items() if words in told), None)
            if think is None:
                raise
            raise Wrong(what, f"packets() gives {right}", str(error), think) from error
        is_number = found is None or isinstance(found, Number)  # None is told of below
        if not is_number:
            kind = type(found).__name__
            think = f"That is a {kind}, where one number is asked for. What of it is left to do?"
            raise Wrong(what, f"packets() gives {right}", f"packets() gives {found!r}", think)
        if found != right:
            think = _of_one_call(found, rows, every)
            if found == right + before:
                think = f"{before} is left over from the call before. What outlives a call?"
            elif found and found == _of_nothing(packets):
                think = "It gives that for a map with no entries, too. Does it look at counters?"
            equal(what, "packets() gives", right, found, think)
        before += right


def _of_one_call(found: Any, rows: Rows, every: list[list[int]]) -> str:
    """Which mistake gives this number."""
    if found is None:
        return "Does your function return a number, also for a map with no entries?"
    thoughts = {
        sum(rows): "Those are the keys, the numbers of the protocols.",
        len(rows): "Those are the entries. How many packets is each?",
        sum(map(len, every)): "That is how many copies there are, not what is in them.",
    }
    if found in thoughts:
        return thoughts[found]
    if found in (
        sum(copies[0] for copies in every),
        sum(copies[-1] for copies in every),
        sum(map(max, every)),
    ):
        return "It reads only one CPU of each protocol. Who adds up the copies?"
    if found == sum(copies[copy % len(copies)] for copies in every for copy in copies):
        return "Is a copy an index, or already the number?"
    if any(found == sum(sum(copies[:n]) for copies in every) for n in SOME):
        return HOW_MANY
    return "Is it every protocol?" if found in map(sum, every) else WHICH


def _of_nothing(packets: Packets) -> Any:
    with suppress(Exception):  # it is only asked to learn more of a wrong answer
        return packets({})
    return None
