"""What programs print with bpf_printk(), shown under the cell that made them do so.

The kernel keeps such lines for the whole machine, so those of this notebook's programs are known by
the texts in their C.  Sources: bpf-helpers(7), bpf_trace_printk; include/trace/events/bpf_trace.h.
"""

from __future__ import annotations

import contextlib
import os
import re
import weakref

from IPython import get_ipython

from ..compiling.bcc import Compilation
from ..errors import LabError
from ..explaining import SOURCES
from ..libbpf.links import attach_tracepoint
from ..libbpf.programs import PROG_TYPE_TRACEPOINT
from ..maps.rings import taken
from ..network.session import current
from .loaded import Loaded

PRINTS = re.compile(r'\bbpf_printk\s*\(\s*((?:"(?:[^"\\\n]|\\.)*"\s*)+)(\w?)')
VALUE = re.compile(r"%(?:%|[-+ #0]*\d*(?:\.\d+)?(?:ll|l|h|hh|z)?(?:p[a-zA-Z0-9]*|[a-zA-Z]))")
MOST = 20  # lines under a cell


def texts_of(source: str) -> set[str]:
    """The texts that C prints, with their % as they stand."""
    plain = re.sub(r"/\*.*?\*/|^\s*//[^\n]*", " ", source, flags=re.DOTALL | re.MULTILINE)
    found = set()
    for call in PRINTS.finditer(plain):
        parts = re.findall(r'"((?:[^"\\\n]|\\.)*)"', call[1])
        with contextlib.suppress(UnicodeDecodeError):
            rest = "%s" if call[2] else ""  # the text of a macro's argument comes behind
            text = "".join(parts).encode().decode("unicode_escape")
            found.add(f"{text}{rest}".rstrip("\n"))
    return found


def pattern_of(text: str) -> re.Pattern[str]:
    """What a line looks like that this text makes."""
    ends = [one.span() for one in VALUE.finditer(text)]
    made, at = "", 0
    for begin, end in ends:
        made += re.escape(text[at:begin])
        made += "%" if text[begin:end] == "%%" else ".*"
        at = end
    return re.compile(made + re.escape(text[at:]), re.DOTALL)


class Printed:
    """Listens to what is printed, and knows whose texts are this notebook's; one a session.

    Attributes:
        trouble: why it hears nothing; empty where it does.
    """

    def __init__(self) -> None:
        self._texts: dict[str, re.Pattern[str]] = {}
        self._loaded: Loaded | None = None
        self.trouble = ""
        try:
            self._listen()
        except LabError as error:
            self.trouble = str(error)
        if (shell := get_ipython()) is not None:
            shell.events.register("post_run_cell", self._show)

    def _listen(self) -> None:
        source = (SOURCES / "printed.c").read_text()
        function = "tracepoint__bpf_trace__bpf_trace_printk"
        with Compilation(source, function, PROG_TYPE_TRACEPOINT) as compilation:
            compiled = compilation.compiled()
            verified = compilation.verified()
        if verified.built is None:
            said = (verified.log or compiled.told or compiled.trouble).strip().splitlines()
            raise LabError(said[-1] if said else "it was refused without a reason")
        loaded = Loaded(verified.files, len(verified.built.maps))
        file = attach_tracepoint(loaded.fd, "bpf_trace", "bpf_trace_printk")
        if file < 0:
            raise LabError("this kernel has no tracepoint bpf_trace:bpf_trace_printk")
        weakref.finalize(self, os.close, file)
        self._loaded = loaded

    def know(self, source: str) -> None:
        """Show what this C prints, from now on."""
        for text in texts_of(source):
            self._texts.setdefault(text, pattern_of(text))

    def lines(self) -> list[str]:
        """The lines of this notebook's programs since the last time, the oldest first."""
        if self._loaded is None:
            return []
        records = taken(self._loaded.maps[0])
        lines = [one.split(b"\0")[0].decode(errors="replace").rstrip("\n") for one in records]
        return [one for one in lines if any(p.fullmatch(one) for p in self._texts.values())]

    def _show(self, *_: object) -> None:
        """Under the cell that has just run."""
        lines = self.lines()
        for line in lines[:MOST]:
            print(f"bpf_printk: {line}")
        if len(lines) > MOST:
            print(f"bpf_printk: and {len(lines) - MOST:,} lines more")


def listen_for(source: str) -> str:
    """Show from now on, in a notebook, what a program of this C prints, if it prints.

    Returns:
        why its lines cannot be shown; empty where they can, or where there are none.
    """
    if get_ipython() is None or not texts_of(source):
        return ""
    printed = current().one(Printed)
    printed.know(source)
    return printed.trouble
