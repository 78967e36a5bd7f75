"""What a check says, in a form that tests can search."""

from __future__ import annotations

import re


def said(reply: object) -> str:
    """All that a reply says, in one line."""
    return re.sub(r"\s+", " ", repr(reply))
