"""Packets go missing in four ways, and each leaves other traces.

Rooms 1 to 3, and 10, are looked at in turn. A wrong diagnosis is answered with what speaks
against it.
"""

from __future__ import annotations

from collections.abc import Callable

from labsetup.practice.checking import diagnosed


def check(diagnoses: Callable[[], object]) -> None:
    diagnosed("5.4", diagnoses())
