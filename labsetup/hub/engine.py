"""How the engine refuses: docker's library says it in a dozen classes, with one number in each."""

from __future__ import annotations

GONE = 404  # there is no such container, network or file


def refusal(error: Exception) -> int:
    """The status with which the engine refused; 0 if the error is none of the engine's."""
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)
