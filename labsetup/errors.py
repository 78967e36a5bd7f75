"""What goes wrong, in words: one sentence on what happened and what to type next."""

from __future__ import annotations

import difflib
import linecache
import textwrap
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar


class LabError(Exception):
    """Something the reader can mend; the message is one sentence on what and what next."""

    def _render_traceback_(self) -> list[str]:
        """IPython prints these lines instead of a traceback through the lab's own code."""
        return [*lines_of(self), *place_of(self)]


def lines_of(error: BaseException) -> list[str]:
    """What an error says, in lines that fit a notebook."""
    said = f"{type(error).__name__}: {error}"
    return textwrap.wrap(said, width=96, break_long_words=False)


def place_of(error: BaseException) -> list[str]:
    """The line of the reader's that met it, where a cell has several."""
    trace, place = error.__traceback__, list[str]()
    while trace:
        file = trace.tb_frame.f_code.co_filename
        lines = linecache.getlines(file)
        if trace.tb_frame.f_globals.get("__name__") == "__main__" and len(lines) > 1:
            place = [f"line {trace.tb_lineno}: {lines[trace.tb_lineno - 1].strip():.80}"]
        trace = trace.tb_next
    return place


def line_of(trace: TracebackType) -> str:
    """Where it went wrong, if that is the reader's; else empty."""
    while trace.tb_next:
        trace = trace.tb_next
    if trace.tb_frame.f_globals.get("__name__") != "__main__":
        return ""
    return linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno)


class NoSuchEntry(LabError, KeyError):
    """A counter or a map entry that is not there."""

    __str__ = LabError.__str__  # KeyError would quote the sentence


class NoSuchPlace(LabError, IndexError):
    """A packet that a record or a capture does not have."""


class NoSuchName(LabError, AttributeError):
    """A host or an interface that the network does not have, or another name that is none."""


class Nameable:
    """What answers a name that it does not have with the nearest one that it has."""

    _elsewhere: ClassVar[dict[str, str]] = {}  # names of other libraries: what to type here instead

    if not TYPE_CHECKING:  # mypy would take every name for one that is there

        def __getattr__(self, name: str) -> Any:
            # Python comes here, too, when a property raises AttributeError: that one is told.
            if name.startswith("_") or hasattr(type(self), name):
                return object.__getattribute__(self, name)
            has = [one for one in object.__dir__(self) if not one.startswith("_")]
            near = difflib.get_close_matches(name.lower(), has, 1)
            kind = type(self).__name__
            mend = f"type {near[0]}" if near else f"it has {', '.join(sorted(has))}"
            mend = self._elsewhere.get(name, mend)
            article = "an" if kind[0] in "AEIOU" else "a"
            raise NoSuchName(f"{article} {kind} has no {name}; {mend}")
