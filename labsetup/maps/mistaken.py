"""What a map holds, taken for what it is not: one sentence in place of Python's traceback."""

from __future__ import annotations

import re
from types import TracebackType

from ..errors import line_of

# By Python's words, and where it tells by the line as well, what to type next.
OF_A_MAP = [
    (
        r"can only concatenate tuple \(not \"(?:int|float)\"\)|'PerCPU' and|and 'PerCPU'",
        r"",
        "the value of a per-CPU map is one number for each CPU; .sum adds them up",
    ),
    (r"'PerCPU' object has no attribute", r"", "type sum"),
    (
        r"'int' object has no attribute 'sum'",
        r"\]\s*\.sum\b",
        "this map has one number for all CPUs, and no copies; leave .sum out",
    ),
    (r"'int' object is not callable", r"\.sum\(", ".sum is a number; leave the () out"),
    (
        r"'Map' and|and 'Map'",
        r"",
        'a map has entries, and each its value; name one, as in counter["icmp_packets"][0]',
    ),
]


def in_words(error: BaseException, trace: TracebackType) -> str:
    """A map's value, taken for what it is not, as a sentence; else empty."""
    if not isinstance(error, (TypeError, AttributeError)) or not (line := line_of(trace)):
        return ""
    for said, written, mend in OF_A_MAP:
        if re.search(said, str(error)) and re.search(written, line):
            return f"{error}: {mend}"
    return ""
