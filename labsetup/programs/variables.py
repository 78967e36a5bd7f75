"""A program's variables: what libbpf's C keeps outside of its functions, as Python values."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

from ..compiling.outcome import Built, BuiltObject, Variable
from ..compiling.variables import raw_of
from ..errors import LabError, NoSuchEntry
from ..maps.described import described
from ..maps.maps import Map
from ..maps.values import plain


class Variables(MutableMapping[str, Any]):
    """Variables by name; what is set here the program reads from its next packet on.

    They lie in maps of one value each, which libbpf makes: .bss, .data and .rodata.  Each is
    written by itself through the map's own memory, so that nothing beside it changes: mmap(2), and
    Documentation/bpf/map_array.rst (BPF_F_MMAPABLE).

    Attributes:
        places: of those maps among the program's.
    """

    def __init__(self, name: str, built: Built, maps: Sequence[Map]) -> None:
        """Look at a program's.

        Args:
            name: of the program.
            built: what it was made from.
            maps: all of its maps.
        """
        self._program, self._maps = name, maps
        is_object = isinstance(built, BuiltObject)
        self.places = built.hidden if isinstance(built, BuiltObject) else frozenset[int]()
        self._all = dict(built.variables) if isinstance(built, BuiltObject) else {}
        self._is_bccs = not is_object
        self._memory: dict[int, mmap.mmap] = {}

    def _of(self, name: str) -> Variable:
        if name in self._all:
            return self._all[name]
        if self._is_bccs:
            raise NoSuchEntry(
                f"{self._program} has no variable {name!r}: in BCC's C there are none that Python "
                "reads; keep it in BPF_ARRAY(name, type, 1), or write the program in libbpf's C"
            )
        has = f"its variables: {', '.join(self._all)}" if self._all else "it has none"
        raise NoSuchEntry(f"{self._program} has no variable {name!r}; {has}")

    def __getitem__(self, name: str) -> Any:
        one = self._of(name)
        kind = described(one.kind)
        key = (0).to_bytes(4, "little")
        value = self._maps[one.map].raw()[key]
        return plain(kind.from_buffer_copy(value, one.offset))

    def __setitem__(self, name: str, value: Any) -> None:
        one = self._of(name)
        if one.constant:
            raise LabError(
                f"{name} is const volatile: it is fixed once the program is loaded; load it again: "
                f"Program({self._program!r}, constants={{{name!r}: {value!r}}})"
            )
        raw = raw_of(described(one.kind), value, f"the variable {name}")
        if one.map not in self._memory:
            size = -(-self._maps[one.map].value_size // mmap.PAGESIZE) * mmap.PAGESIZE
            self._memory[one.map] = mmap.mmap(self._maps[one.map].fd, size)
        memory = self._memory[one.map]
        if ctypes.sizeof(described(one.kind)) in (1, 2, 4, 8):  # in one piece, as the program reads
            number = (ctypes.c_ubyte * len(raw)).from_buffer(memory, one.offset)
            ctypes.memmove(number, raw, len(raw))
            del number
            return
        memory[one.offset : one.offset + len(raw)] = raw

    def __delitem__(self, name: str) -> None:
        raise LabError(f"{name} cannot be taken out of {self._program}; set it to 0 instead")

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __repr__(self) -> str:
        rows = [f"  {name}: {value}" for name, value in self.items()]
        return "\n".join([f"{self._program}'s variables", *(rows or ["  (none)"])])
