"""How docker's library refuses, without it."""

from __future__ import annotations


class Refused(Exception):
    """As docker's library says it."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status} refused")
        self.response = type("Response", (), {"status_code": status})()
