"""Failures that sleep until the router moves something.

Rooms 7 to 9 are looked at in turn. A wrong diagnosis is answered with what speaks against it.
"""

from __future__ import annotations

from collections.abc import Callable

from labsetup.practice.checking import diagnosed


def check(causes: Callable[[], object]) -> None:
    diagnosed("8.4", causes())
