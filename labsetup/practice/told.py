"""What goes wrong in a cell and is no LabError: a sentence in place of the traceback."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..errors import LabError, lines_of, place_of
from ..maps import mistaken
from . import assertions, slips

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

NAME = "two_hosts"  # that `from labsetup import *` brings
INTERRUPTED = KeyboardInterrupt, asyncio.CancelledError  # the latter, where a cell awaits something


def register(shell: InteractiveShell) -> None:
    """Have IPython tell it so, in each cell and whoever wrote it."""
    handler: Any = _told
    shell.set_custom_exc((Exception, *INTERRUPTED), handler)


def _told(
    shell: InteractiveShell,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType,
    tb_offset: int | None = None,
) -> None:
    """Show the sentence, if there is one; the error itself has it too, for `lab run`."""
    if sentence := _of_packets(error, trace):  # as a slip of the lab's own words is told
        kind, error = LabError, LabError(sentence).with_traceback(trace)
    elif sentence := _sentence(shell, error, trace):
        error.args = (sentence,)
        error.__dict__["_render_traceback_"] = partial(_lines, error)
    shell.showtraceback((kind, error, trace))


def _sentence(shell: InteractiveShell, error: BaseException, trace: TracebackType) -> str:
    if isinstance(error, INTERRUPTED):
        return str(error) or "this cell was interrupted; run it again, or go on with another"
    if isinstance(error, AssertionError):
        return assertions.in_words(error, trace, shell)
    if isinstance(error, NameError):
        return from_before(error, shell) or slips.in_words(error, trace, shell)
    return "" if isinstance(error, LabError) else mistaken.in_words(error, trace)


def _lines(error: BaseException) -> list[str]:
    place = [] if isinstance(error, AssertionError) else place_of(error)  # it names its line itself
    return [*lines_of(error), *place]


def _of_packets(error: BaseException, trace: TracebackType) -> str:
    """What scapy refuses; who has no packets does not wait for its import."""
    if "scapy.packet" not in sys.modules:
        return ""
    from ..packets import refused

    return refused.in_words(error, trace) if isinstance(error, refused.KINDS) else ""


def from_before(error: BaseException, shell: InteractiveShell) -> str:
    """A name that is missing since nothing of the notebook has run, as a sentence; else empty."""
    if NAME in shell.user_ns:
        return ""
    return f"{error}: the lab is not loaded; run the cells from the first one on"
