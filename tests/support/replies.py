"""What a check says, in a form that tests can search."""

from __future__ import annotations

import re
from typing import Any

from labsetup import check


def said(reply: object) -> str:
    """All that a reply says, in one line."""
    return re.sub(r"\s+", " ", repr(reply))


def right(number: str, answer: Any) -> bool:
    """Whether a check takes an answer as right."""
    reply = check(number, answer)
    assert reply is not None
    return reply.ok
