"""FILL IN: what is checked, in which order, and why in this one"""

from __future__ import annotations

from collections.abc import Callable

from labsetup.practice.checking import equal

THINK = "FILL IN: a thought for those whose function returns something else"


def check(template_name: Callable[[list[int]], object]) -> None:
    for numbers in ([1, 2, 3], []):
        equal(f"{numbers}", "template_name() gives", sum(numbers), template_name(numbers), THINK)
