"""Offers as Jupyter's messages have them.

Source: Jupyter client's messaging page, complete_reply and inspect_reply; types of names are
ipykernel's and JupyterLab's, in the metadata ``_jupyter_types_experimental``.
"""

from __future__ import annotations

from typing import Any

from . import offers


def complete(code: str, cursor: int) -> dict[str, Any] | None:
    """The content of a complete_reply; None where Python is to answer."""
    offer = offers.complete(code, cursor)
    if offer is None:
        return None
    names = [
        {"start": offer.start, "end": offer.end, "text": w.name, "type": w.kind, "signature": ""}
        for w in offer.words
    ]
    return {
        "matches": [word.name for word in offer.words],
        "cursor_start": offer.start,
        "cursor_end": offer.end,
        "metadata": {"_jupyter_types_experimental": names},
        "status": "ok",
    }


def typed(reply: dict[str, Any]) -> dict[str, Any]:
    """Python's own reply, in which what nobody can tell the kind of is a thing like others."""
    for name in reply["metadata"].get("_jupyter_types_experimental", ()):
        if name["type"] == "<unknown>":
            name["type"] = "instance"
    return reply


def inspect(code: str, cursor: int) -> dict[str, Any] | None:
    """The content of an inspect_reply; None where Python is to answer.

    In a cell of C nobody else does: what Python has under that name is something else.
    """
    said = offers.describe(code, cursor)
    if said is None and not offers.is_c(code):
        return None
    data = {"text/plain": said} if said else {}
    return {"status": "ok", "found": bool(said), "data": data, "metadata": {}}
