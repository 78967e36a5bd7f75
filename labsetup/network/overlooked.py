"""Commands that failed where nobody looked: in the middle of a cell, or beside the notebook."""

from __future__ import annotations

import sys
from typing import Protocol

from IPython.core.getipython import get_ipython

MOST = 3  # of a cell: a loop's failures are of one kind
WRAPPERS = {"labsetup.network.namespace", "labsetup.arguments"}


class Command(Protocol):
    """One that was started from a cell."""

    looked_at: bool

    @property
    def went_well(self) -> bool | None:
        """Whether it ended well, or was made to end; None while it runs."""


class Overlooked:
    """Says under a cell which of its commands failed without a word; one a session.

    What the lab runs for itself is none of this: it looks at what matters.
    """

    def __init__(self) -> None:
        self._commands: list[Command] = []
        self._shell = get_ipython()
        if self._shell is not None:
            self._shell.events.register("post_run_cell", self._tell)

    def watch(self, command: Command) -> None:
        """Say so if it has failed when the cell ends, and nobody has looked at it."""
        if self._shell is not None and self._is_from_a_cell():
            self._commands.append(command)

    def _is_from_a_cell(self) -> bool:
        frame = sys._getframe(2)
        while frame.f_back and frame.f_globals.get("__name__") in WRAPPERS:
            frame = frame.f_back
        return frame.f_globals is getattr(self._shell, "user_ns", None)

    def _tell(self, *_: object) -> None:
        unseen = [one for one in self._commands if not one.looked_at]
        self._commands = [one for one in unseen if one.went_well is None]
        failed = [one for one in unseen if one.went_well is False]
        for one in failed[:MOST]:
            print(f"lab: this failed, and nothing here looks at it:\n{one!r}")
        if len(failed) > MOST:
            print(f"lab: and {len(failed) - MOST:,} commands more failed")
