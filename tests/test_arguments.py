"""Arguments are held against annotations in each call, also where one like it was right before."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from labsetup import ICMP, IP, LabError, check, hint, mixed, predict, seed_of
from labsetup.arguments import checked
from labsetup.packets.craft import Packet
from labsetup.rivals.ways import Way, Xdp


@checked
def takes(number: float, names: Sequence[str] | str, whole: int = 1, pair: object = None) -> float:
    return number


@checked
def sends(packet: Packet | bytes | Sequence[Packet | bytes], count: int = 1) -> int:
    return count


@checked
def goes(ways: Sequence[type[Way]]) -> int:
    return len(ways)


def test_ways_are_classes_and_the_sentence_shows_some():
    assert goes([Xdp]) == 1
    with pytest.raises(LabError) as caught:
        goes(["XDP"])  # type: ignore[list-item]
    said = "goes() takes a list of ways such as [Xdp, HAProxy] as ways, not ['XDP']"
    assert str(caught.value) == said


RIGHT: list[tuple[object, ...]] = [
    (1.5, ["a"]),
    (2, ("a",)),
    (2, "a"),
    (1.5, "a"),
    (2, "a", True),
    (2, "a", 3, [None]),
    (np.float64(1), np.array(["a"]), np.int64(1)),
    (1, "a", np.array(1)),
]
WRONG: list[tuple[object, ...]] = [
    (float("nan"), ["a"]),
    (np.float64("nan"), np.array(["a"]), np.int64(1)),
    (float("nan"), "a"),
    (2, (1,)),
    (2, [None]),
    (2, {"a": 1}),
    (2, "a", "b"),
    (2, "a", 1.0),
    (1, "a", np.array([1, 2])),
    (2, None),
    (2,),
    (2, "a", 3, 4, 5),
    (),
]


def test_a_call_that_was_right_excuses_no_other():
    for _ in range(2):
        for right in RIGHT:
            assert takes(*right) == right[0]  # type: ignore[arg-type]
        for wrong in WRONG:
            with pytest.raises(LabError, match=r"^takes\(\) takes "):
                takes(*wrong)  # type: ignore[arg-type]


def test_so_it_is_with_packets():
    ping = IP() / ICMP()
    for _ in range(2):
        assert sends(ping) == sends(bytes(ping)) == sends([ping, b"x"]) == 1
        for wrong in ((1,), ("x",), ([ping, 1],), (ping, "2"), (ping, None)):
            with pytest.raises(LabError):
                sends(*wrong)


def test_so_it_is_where_cells_call_in_loops():
    mixed(seed_of("s1"))  # type: ignore[arg-type]  # a number of numpy is one, too
    for wrong in ((1,), ("",), ("s1", "s2"), (), (None,), (["s1"],)):
        with pytest.raises(LabError):
            seed_of(*wrong)
    for other in ("s1", 1.5, None, True):
        with pytest.raises(LabError):
            mixed(other)  # type: ignore[arg-type]


def test_a_number_for_a_text_is_shown_in_quotation_marks():
    cases: list[tuple[Callable[..., object], tuple[object, ...], str]] = [
        (hint, (4.1,), '^hint() takes a text as number, not 4.1; .* it is one: hint("4.1")$'),
        (check, (4,), 'not 4; in quotation marks it is one: check("4")$'),
        (check, (4.1, len), 'not 4.1; in quotation marks it is one: "4.1"$'),
        (predict, ("how many?", 1, 2), 'as choices, not 1; .* it is one: "1"$'),
        (hint, (float("nan"),), "not nan$"),
        (hint, (True,), "not True$"),
        (hint, (10**5000,), "not a int$"),
        (takes, (1, 2), "not 2$"),
    ]
    for function, given, says in cases:
        with pytest.raises(LabError, match=says.replace("(", r"\(").replace(")", r"\)")):
            function(*given)
