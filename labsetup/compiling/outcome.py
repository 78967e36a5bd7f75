"""What comes of a piece of C, whichever way it was compiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..explaining.unwritten import Unwritten
from ..maps.plan import MapPlan


@dataclass(frozen=True)
class Built:
    """A program as clang made it; it can be loaded any number of times, each with its own maps.

    Attributes:
        function: its name in the C.
        instructions: 8 bytes each; where one names a map it has the map's place in *maps*.
        maps: those of the C, in its order.
        licence: as the kernel is told.
    """

    function: str
    instructions: bytes
    maps: tuple[MapPlan, ...]
    licence: bytes


@dataclass(frozen=True)
class Compiled:
    """What came of a piece of C.

    Attributes:
        told: what clang and BCC printed.
        functions: those that the kernel could be given; None where C did not compile.
        helpers: the kernel's functions that the program calls, by number.
        trouble: what BCC raised, if it did.
        ended: whether the process that compiled was ended by it.
    """

    told: str
    functions: Sequence[str] | None
    helpers: Sequence[int] = ()
    trouble: str = ""
    ended: bool = False


@dataclass(frozen=True)
class Verified:
    """What the kernel's verifier said to it.

    Attributes:
        files: of the loaded program, and then of each map; none where it was refused.
        built: the program as data.
        log: the verifier's words, where it was refused.
        in_time: whether it came to an end.
        unwritten: what it hands over that nothing in it has written; their files are places in
            the maps of *built*.
    """

    files: Sequence[int]
    built: Built | None = None
    log: str = ""
    in_time: bool = True
    unwritten: Sequence[Unwritten] = ()
