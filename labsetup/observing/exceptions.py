"""Packets that programs leave at the tracepoint xdp:xdp_exception."""

from __future__ import annotations

import os
import weakref

from ..arguments import checked
from ..compiling.bcc import Compilation
from ..errors import LabError
from ..libbpf.links import attach_tracepoint
from ..libbpf.programs import PROG_TYPE_TRACEPOINT
from ..maps.maps import Map
from ..network import sandbox
from ..network.interface import Interface
from ..network.session import current
from ..programs.loaded import Loaded
from ..programs.sources import SOURCES


class _Tracer:
    """bpf/exceptions.c at its tracepoint; one for the life of the notebook."""

    def __init__(self) -> None:
        source = (SOURCES / "exceptions.c").read_text()
        function = "tracepoint__xdp__xdp_exception"
        with Compilation(source, function, PROG_TYPE_TRACEPOINT) as compilation:
            compiled = compilation.compiled()
            verified = compilation.verified()
        reason = (verified.log or compiled.told or compiled.trouble).strip() or "it gave no reason"
        if verified.built is not None:
            self._loaded = Loaded(verified.files, len(verified.built.maps))
            plan, fd = verified.built.maps[0], self._loaded.maps[0]
            self.counts = Map(plan, fd, self._loaded)
            self._file = attach_tracepoint(self._loaded.fd, "xdp", "xdp_exception")
            if self._file >= 0:
                weakref.finalize(self, os.close, self._file)
                return
            reason = "it cannot be attached to"
        raise LabError(
            f"this kernel has no tracepoint xdp:xdp_exception ({reason.splitlines()[-1]}); the "
            "counter xdp_drops of `counters` still counts the packets"
        )


class Exceptions:
    """Counts what programs leave at the tracepoint xdp:xdp_exception, while its block runs.

    The tracepoint belongs to the whole machine; `of` counts the programs of one interface only.
    """

    @checked
    def __init__(self) -> None:
        sandbox.require()
        self._start: dict[int, int] = {}
        self._end: dict[int, int] | None = None
        self._tracer: _Tracer | None = None

    def __enter__(self) -> Exceptions:
        self._tracer = current().one(_Tracer)
        self._start, self._end = self._counts(), None
        return self

    def __exit__(self, *error: object) -> None:
        self._end = self._counts()

    def _counts(self) -> dict[int, int]:
        return {} if self._tracer is None else dict(self._tracer.counts)

    def __repr__(self) -> str:
        if self._tracer is None:
            return "not counting yet: with Exceptions() as aborted: begins"
        now = self._counts() if self._end is None else self._end
        total = sum(now.get(one, 0) - self._start.get(one, 0) for one in now)
        return f"{total} packets at xdp:xdp_exception, of all programs; of(INTERFACE) gives its own"

    @checked
    def of(self, interface: Interface) -> int:
        """How many packets had aborted at an interface, under the programs that it has had."""
        now = self._counts() if self._end is None else self._end
        attached = interface.xdp
        programs = interface.programs | ({attached[2]} if attached else set())
        return sum(now.get(one, 0) - self._start.get(one, 0) for one in programs)
