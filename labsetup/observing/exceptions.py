"""Packets that programs leave at the tracepoint xdp:xdp_exception."""

from __future__ import annotations

from ..arguments import checked
from ..errors import LabError
from ..network import sandbox
from ..network.interface import Interface
from ..network.session import current
from .tracepoint import Tracer


def _tracer() -> Tracer:
    """One for the life of the notebook."""
    return Tracer(
        "exceptions",
        "xdp_exception",
        "the counter xdp_drops of `counters` still counts the packets",
    )


NOT_YET = "not counting yet: with Exceptions() as aborted: begins"


class Exceptions:
    """Counts what programs leave at the tracepoint xdp:xdp_exception, while its block runs.

    The tracepoint belongs to the whole machine; `of` counts the programs of one interface only.
    """

    @checked
    def __init__(self) -> None:
        sandbox.require()
        self._start: dict[int, int] = {}
        self._end: dict[int, int] | None = None
        self._tracer: Tracer | None = None

    def __enter__(self) -> Exceptions:
        self._tracer = current().one(_tracer)
        self._start, self._end = self._counts(), None
        return self

    def __exit__(self, *error: object) -> None:
        self._end = self._counts()

    def _counts(self) -> dict[int, int]:
        return {} if self._tracer is None else dict(self._tracer.counts)

    def __repr__(self) -> str:
        if self._tracer is None:
            return NOT_YET
        now = self._counts() if self._end is None else self._end
        total = sum(now.get(one, 0) - self._start.get(one, 0) for one in now)
        return f"{total} packets at xdp:xdp_exception, of all programs; of(INTERFACE) gives its own"

    @checked
    def of(self, interface: Interface) -> int:
        """How many packets had aborted at an interface, under the programs that it has had.

        Raises:
            LabError: where nothing was counted yet.
        """
        if self._tracer is None:
            raise LabError(NOT_YET)
        now = self._counts() if self._end is None else self._end
        attached = interface.xdp
        programs = interface.programs | ({attached[2]} if attached else set())
        return sum(now.get(one, 0) - self._start.get(one, 0) for one in programs)
