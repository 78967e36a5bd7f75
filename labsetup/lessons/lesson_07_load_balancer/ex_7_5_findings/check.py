"""A balancer's failures: some kill connections, one kills none and is the worst.

Rooms 4 to 6 are looked at in turn. A wrong diagnosis is answered with what speaks against it.
"""

from __future__ import annotations

from collections.abc import Callable

from labsetup.practice.checking import diagnosed


def check(findings: Callable[[], object]) -> None:
    diagnosed("7.5", findings())
