"""BPF maps as Python mappings; a per-CPU map shows every CPU's copy and their sum."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator, MutableMapping
from typing import Any

from ..errors import LabError, NoSuchEntry
from ..libbpf.maps import Elements, map_id, possible_cpus
from ..network.interface import Interface
from .compile import MapPlan
from .values import PerCPU, form_of, how_to_write, is_zero, made, plain, raw_bytes, type_of

# enum bpf_map_type, linux/bpf.h: hash, array, their per-CPU and LRU forms, LPM trie.
READABLE = {1, 2, 5, 6, 9, 10, 11}
PER_CPU = {5, 6, 10}
ARRAYS = {2, 6}  # they have all their elements from the beginning, and keep them
DEVMAP = 14

SMALL, LIGHT = 256, 8192  # entries, and bytes, that are soon read
LONGEST = 200  # characters of an entry in a listing
MANY = 16  # entries; of more than that, those of 0 are not listed


class Map(MutableMapping[Any, Any]):
    """A map of a loaded program, read and written by one bpf(2) call an entry.

    Keys and values are ints where the C type is an integer, and dicts for a struct. Any of them,
    and any field of a struct, may be written as the very bytes that it has in memory: bytes, or
    a numpy array; only text, an array of char, may be shorter. A value of a per-CPU map is a
    `PerCPU`; writing an int to it sets every CPU's copy. A device map takes interfaces, such as
    ``net.middle.eth1``.
    """

    def __init__(self, plan: MapPlan, fd: int, owner: object) -> None:
        """Look at a map.

        Args:
            plan: what the C says of it.
            fd: its descriptor,
            owner: and who keeps that open.
        """
        self.name, self._plan, self._fd, self._owner = plan.name, plan, fd, owner
        self._key_type, self._value_type = type_of(plan.key), type_of(plan.leaf)
        size = ctypes.sizeof(self._value_type)
        self._copies = possible_cpus() if plan.kind in PER_CPU else 0
        # The kernel keeps copies at multiples of 8 bytes: Documentation/bpf/map_hash.rst.
        self._stride = -(-size // 8) * 8
        whole = self._stride * self._copies if self._copies else size
        self._elements = Elements(fd, ctypes.sizeof(self._key_type), whole)

    @property
    def fd(self) -> int:
        """Its descriptor."""
        return self._fd

    @property
    def id(self) -> int:
        """The number by which `bpftool map` finds it."""
        return map_id(self._fd)

    @property
    def is_small(self) -> bool:
        """Whether all its entries can be read between two packets."""
        size = self._plan.entries * ctypes.sizeof(self._value_type)
        return self._plan.kind in READABLE and self._plan.entries <= SMALL and size <= LIGHT

    def _key(self, key: Any) -> bytes:
        return bytes(self._made(self._key_type, key, "a key"))

    def _made(self, kind: Any, value: Any, what: str) -> Any:
        try:
            return made(kind, value)
        except (KeyError, TypeError, ValueError, IndexError):
            raw = raw_bytes(value)
            given = repr(value) if raw is None else f"{len(raw)} bytes"
            form = form_of(kind)
            if raw is not None and not form.endswith("bytes"):
                form = f"{form}, {ctypes.sizeof(kind)} bytes"
            how = how_to_write(kind, value)
            raise LabError(f"{what} of map {self.name} is {form}, not {given}{how}") from None

    def __getitem__(self, key: Any) -> Any:
        raw = self._elements.get(self._key(key))
        if raw is None:
            raise NoSuchEntry(f"{self.name} has no entry {key}")
        if not self._copies:
            return plain(self._value_type.from_buffer_copy(raw))
        parts = (raw[n * self._stride :] for n in range(self._copies))
        return PerCPU(plain(self._value_type.from_buffer_copy(part)) for part in parts)

    def __setitem__(self, key: Any, value: Any) -> None:
        wanted = value.index if isinstance(value, Interface) else value
        new, at = self._value(wanted), self._key(key)
        # A device map takes an interface by its number in the namespace of whoever writes.
        place = value.host.inside() if isinstance(value, Interface) else contextlib.nullcontext()
        with place:
            try:
                self._elements.put(at, new)
            except OSError as error:
                raise LabError(f"the kernel refused {self.name}[{key}]: {error.strerror}") from None

    def _value(self, value: Any) -> bytes:
        """A value as the kernel takes it, of a per-CPU map all copies."""
        if not self._copies:
            return bytes(self._made(self._value_type, value, "a value"))
        if not isinstance(value, tuple | list):
            value = [value] * self._copies
        if len(value) != self._copies:
            self._made(self._value_type * self._copies, value, "a value")
        copies = (bytes(self._made(self._value_type, one, "a value")) for one in value)
        return b"".join(copy.ljust(self._stride, b"\0") for copy in copies)

    def __delitem__(self, key: Any) -> None:
        at = self._key(key)
        if self._plan.kind in ARRAYS and self._elements.get(at) is not None:
            self._elements.put(at, self._value(bytes(ctypes.sizeof(self._value_type))))
        elif not self._elements.remove(at):
            raise NoSuchEntry(f"{self.name} has no entry {key}")

    def _keys(self) -> Iterator[bytes]:
        """Those of its elements; a device map is an array with empty places."""
        if self._plan.kind not in ARRAYS | {DEVMAP}:
            return self._elements.keys()
        keys = (bytes(self._key_type(number)) for number in range(self._plan.entries))
        if self._plan.kind == DEVMAP:
            return (key for key in keys if self._elements.get(key) is not None)
        return keys

    def __iter__(self) -> Iterator[Any]:
        return (plain(self._key_type.from_buffer_copy(key)) for key in list(self._keys()))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def clear(self) -> None:
        """Set an array's values to 0; empty any other map."""
        for key in list(self):
            del self[key]

    def __repr__(self) -> str:
        entries = list(self.items())
        shown = [one for one in entries if len(entries) <= MANY or not is_zero(one[1])]
        rows = [f"  {key}: {_short(repr(value))}" for key, value in shown]
        if zeros := len(entries) - len(shown):
            rows.append(f"  ({'and ' if rows else ''}{zeros} entries of 0)")
        return "\n".join([self.name, *(rows or ["  (empty)"])])


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
