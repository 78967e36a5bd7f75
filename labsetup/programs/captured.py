"""A program run on each packet of a capture, without a network."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from ..errors import LabError
from ..packets.captures import Captured
from ..packets.fields import changes_of
from .program import Program
from .run import run

PATIENCE = 2  # seconds without a word; and then again twice as long


class Row(NamedTuple):
    """What became of one packet."""

    number: int
    size: int
    verdict: str
    after: bytes
    ns: int
    changes: str
    trouble: str  # why it was not run
    before: Captured

    def __str__(self) -> str:
        if self.trouble:
            return f"{self.number:4}  {'not run':12}  {self.size:4} bytes  {self.trouble}"
        ns = f"{self.ns:4} ns"
        return f"{self.number:4}  {self.verdict:12}  {self.size:4} bytes  {ns}  {self.changes}"

    @property
    def as_json(self) -> dict[str, Any]:
        """For another program."""
        if self.trouble:
            return {"verdict": None, "trouble": self.trouble}
        missing = max(0, self.before.length - self.before.size)
        cut = {"missing": missing} if missing else {}  # bytes that are not in the file
        return {"verdict": self.verdict, "out": self.after.hex(), "ns": self.ns, **cut}


def run_on(
    program: Program,
    first: Captured | None,
    others: Iterable[Captured],
    changes_unseen: bool,
    say: Callable[[str], None],
) -> Iterator[Row]:
    """Run a program on packets, one after the other, as they come.

    Args:
        program: which one.
        first: the first packet; None where there is none.
        others: those after it.
        changes_unseen: whether nobody reads what it changed in them.
        say: is told from time to time how far it is, where no terminal shows it.
    """
    told, pause = time.monotonic(), PATIENCE
    for one in [] if first is None else itertools.chain([first], others):
        cut = f"; {one.size} of its {one.length} bytes are in the file" * (one.size < one.length)
        if not sys.stdout.isatty() and time.monotonic() > told + pause:
            told, pause = time.monotonic(), 2 * pause
            say(f"{one.number:,} packets so far")
        if one.frame is None:
            yield Row(one.number, one.size, "", b"", 0, "", f"it carries no IP{cut}", one)
            continue
        try:
            verdict, after, ns = run(program.fd, one.frame)
        except LabError as error:
            yield Row(one.number, one.size, "", b"", 0, "", f"{error}{cut}", one)
            continue
        changed = [] if changes_unseen else changes_of(one.frame, after)
        changes = "; ".join(map(repr, changed)) or "unchanged"
        yield Row(one.number, len(one.frame), verdict, after, ns, changes + cut, "", one)


def map_as_json(entries: Any) -> Any:
    """A map's entries for another program; a sentence where they cannot be had."""

    def plain(value: Any) -> Any:
        if isinstance(value, bytes):
            return value.hex()
        if isinstance(value, dict):
            return {name: plain(part) for name, part in value.items()}
        if hasattr(value, "sum"):
            return {"copies": [plain(copy) for copy in value], "sum": plain(value.sum)}
        return [plain(part) for part in value] if isinstance(value, (list, tuple)) else value

    try:
        shown = [entries.shown(*entry) for entry in entries.raw().items()]
    except LabError:
        return entries.about
    return {key: plain(value) for key, value in shown}
