"""What comes of a piece of C, whichever way it was compiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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


class Variable(NamedTuple):
    """A variable of a program that every run of it, and user space, can read.

    Attributes:
        map: the place of its map among a program's.
        offset: bytes in that map's only value.
        kind: its type, as maps/described.py takes it.
        constant: whether it is fixed once the program is loaded.
    """

    map: int
    offset: int
    kind: Any
    constant: bool


@dataclass(frozen=True)
class BuiltObject(Built):
    """A program as clang alone made it, an object file that libbpf loads.

    Attributes:
        data: the file.
        others: the other functions that the kernel could be given.
        hidden: the places of maps that libbpf made for variables.
        variables: by name.
        structs: those of its C by name, as maps/described.py takes them.
        constants: what was set before it was loaded.
    """

    data: bytes = b""
    others: tuple[str, ...] = ()
    hidden: frozenset[int] = frozenset()
    variables: Mapping[str, Variable] = field(default_factory=dict)
    structs: Mapping[str, Any] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Code:
    """Where the instructions of a function come from.

    Attributes:
        lines: for those that begin a line of C: number of the instruction, file, line, its text.
        loops: the first and the last instruction of each.
    """

    lines: Sequence[tuple[int, str, int, str]] = ()
    loops: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True)
class Compiled:
    """What came of a piece of C.

    Attributes:
        told: what clang and BCC printed.
        functions: those that the kernel could be given; None where C did not compile.
        helpers: the kernel's functions that the program calls, by number.
        trouble: what BCC raised, if it did.
        ended: whether the process that compiled was ended by it.
        probes: functions that are for another place in the kernel than XDP's.
        undefined: what the C declares and uses, and has nowhere.
        too_long: a function that may run for hours, and the one that it calls; empty for none.
        code: of an object file, by function.
        maps: of an object file, before the kernel made them.
    """

    told: str
    functions: Sequence[str] | None
    helpers: Sequence[int] = ()
    trouble: str = ""
    ended: bool = False
    probes: Sequence[str] = ()
    undefined: Sequence[str] = ()
    too_long: Sequence[str] = ("", "")
    code: Mapping[str, Code] = field(default_factory=dict)
    maps: Sequence[MapPlan] = ()


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
        pinned: what lies where maps that it pins would, by their names, where it was refused.
    """

    files: Sequence[int]
    built: Built | None = None
    log: str = ""
    in_time: bool = True
    unwritten: Sequence[Unwritten] = ()
    pinned: Mapping[str, Sequence[int]] = field(default_factory=dict)
