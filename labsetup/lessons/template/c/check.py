"""FILL IN: what is checked, in which order, and why in this one"""

from __future__ import annotations

from labsetup import IP, TCP, Program
from labsetup.practice.checking import DROP, Case, expect_each

CASES: list[Case] = [
    ("TCP", IP() / TCP(), DROP, "FILL IN: a thought for those whose program does something else"),
]


def check(program: Program) -> None:
    expect_each(program, CASES)
