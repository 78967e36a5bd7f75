"""What goes wrong, in words: one sentence on what happened and what to type next."""

from __future__ import annotations

import textwrap


class LabError(Exception):
    """Something the reader can mend; the message is one sentence on what and what next."""

    def _render_traceback_(self) -> list[str]:
        """IPython prints these lines instead of a traceback through the lab's own code."""
        return textwrap.wrap(f"{type(self).__name__}: {self}", width=96, break_long_words=False)


class NoSuchEntry(LabError, KeyError):
    """A counter or a map entry that is not there."""

    __str__ = LabError.__str__  # KeyError would quote the sentence


class NoSuchName(LabError, AttributeError):
    """A host or an interface that the network does not have."""
