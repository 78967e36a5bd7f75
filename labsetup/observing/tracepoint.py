"""A program of bpf/ at one of the kernel's tracepoints, which counts in a map."""

from __future__ import annotations

import os
import weakref

from ..compiling.bcc import Compilation
from ..errors import LabError
from ..libbpf.links import attach_tracepoint
from ..libbpf.programs import PROG_TYPE_TRACEPOINT
from ..maps.maps import Map
from ..programs.loaded import Loaded
from ..programs.sources import SOURCES


class Tracer:
    """It counts for as long as somebody holds it.

    Attributes:
        counts: the program's only map.
    """

    def __init__(self, program: str, event: str, instead: str) -> None:
        """Begin to count.

        Args:
            program: the name of its file, without ``.c``.
            event: the tracepoint, of the category xdp.
            instead: what a reader can do where there is none.

        Raises:
            LabError: where the kernel has no such tracepoint.
        """
        source = (SOURCES / f"{program}.c").read_text()
        function = f"tracepoint__xdp__{event}"
        with Compilation(source, function, PROG_TYPE_TRACEPOINT) as compilation:
            compiled = compilation.compiled()
            verified = compilation.verified()
        reason = (verified.log or compiled.told or compiled.trouble).strip() or "it gave no reason"
        if verified.built is not None:
            self._loaded = Loaded(verified.files, len(verified.built.maps))
            plan, fd = verified.built.maps[0], self._loaded.maps[0]
            self.counts = Map(plan, fd, self._loaded)
            self._file = attach_tracepoint(self._loaded.fd, "xdp", event)
            if self._file >= 0:
                weakref.finalize(self, _close, self._file, os.getpid())
                return
            reason = "it cannot be attached to"
        raise LabError(
            f"this kernel has no tracepoint xdp:{event} ({reason.splitlines()[-1]}); {instead}"
        )


def _close(file: int, pid: int) -> None:
    """In a process that was forked since, this number may be another file, or none."""
    if os.getpid() == pid:
        os.close(file)
