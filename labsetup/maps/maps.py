"""BPF maps as Python mappings; a per-CPU map shows every CPU's copy and their sum."""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from ..errors import LabError, Nameable, NoSuchEntry
from ..libbpf.maps import Elements, map_id, possible_cpus
from ..libbpf.programs import name_of
from ..network.interface import Interface
from .plan import (
    ARRAYS,
    CPUMAP,
    DATA,
    LPM_TRIE,
    NUMBERED,
    PER_CPU,
    PLACES,
    PROG_ARRAY,
    QUEUES,
    RINGBUF,
    MapPlan,
)
from .rings import read_as, taken
from .values import PerCPU, is_zero, made, plain, type_of
from .wrong import no_place, not_made, refused, short

SMALL, LIGHT = 256, 8192  # entries, and bytes, that are soon read
MANY = 16  # entries; of more than that, those of 0 are not listed
MOST = 100_000  # entries that a listing reads: a second's work

PREFIX = 4  # bytes of an LPM trie's key that say how many bits count
WIDTHS = {4: ipaddress.IPv4Network, 16: ipaddress.IPv6Network}  # by bytes of the address

# What else is known from BCC: docs/reference_guide.md, "Maps".
_RINGS = "of a ring buffer read() takes the records, and nothing needs to be opened or polled"
BCC_NAMES = {
    "open_perf_buffer": _RINGS,
    "open_ring_buffer": _RINGS,
    "lookup": "a key stands in brackets, as in a dict: counts[key], or counts.get(key)",
    "delete": "a key is deleted as from a dict: del counts[key]",
    "zero": "write 0 to a key, as in counts[key] = 0; clear() empties all of it",
    "items_lookup_batch": "items() gives all",
    "items_lookup_and_delete_batch": "items() gives all, clear() empties it",
    "items_update_batch": "update() takes a dict",
    "items_delete_batch": "clear() empties it",
    "sum": "the value of a per-CPU map has the sum of its copies, as in counts[key].sum",
    "Key": "a key is a number, or a dict such as {'port': 80}",
    "Leaf": "a value is a number, or a dict such as {'packets': 1}",
}


class Map(Nameable, MutableMapping[Any, Any]):
    """A map of a loaded program, read and written by one bpf(2) call an entry.

    Keys and values are ints where the C type is an integer, and dicts for a struct. Any of them,
    and any field of a struct, may be written as the very bytes that it has in memory: bytes, or
    a numpy array; only text, an array of char, may be shorter. A value of a per-CPU map is a
    `PerCPU`; writing an int to it sets every CPU's copy. A device map takes interfaces, such as
    ``net.middle.eth1``, an array of programs takes a Program. A key of an LPM trie may be written
    as a network, such as ``"192.0.2.0/24"``. A queue has `push`, `pop` and `peek` instead, a ring
    buffer `read`.
    """

    _elsewhere = BCC_NAMES

    def __init__(
        self,
        plan: MapPlan,
        fd: int,
        owner: object,
        structs: Mapping[str, Any] | None = None,
        struct: str = "",
    ) -> None:
        """Look at a map.

        Args:
            plan: what the C says of it.
            fd: its descriptor,
            owner: and who keeps that open.
            structs: those of the C by name, of which a ring buffer's records may be.
            struct: the one of which they are; empty where that is not known.
        """
        self._structs, self._struct = structs or {}, struct
        self.name, self._plan, self._fd, self._owner = plan.name, plan, fd, owner
        self._key_type = type_of(plan.key, plan.key_size)
        self._value_type = type_of(plan.leaf, plan.leaf_size)
        self._copies = possible_cpus() if plan.kind in PER_CPU else 0
        # The kernel keeps copies at multiples of 8 bytes: Documentation/bpf/map_hash.rst.
        self._stride = -(-plan.leaf_size // 8) * 8
        whole = self._stride * self._copies if self._copies else plan.leaf_size
        self._elements = Elements(fd, plan.key_size, whole, plan.entries)

    @property
    def fd(self) -> int:
        """Its descriptor."""
        return self._fd

    @property
    def id(self) -> int:
        """The number by which `bpftool map` finds it."""
        return map_id(self._fd)

    @property
    def value_size(self) -> int:
        """Bytes of a value, of a per-CPU map of one copy."""
        return self._plan.leaf_size

    @property
    def is_small(self) -> bool:
        """Whether all its entries can be read between two packets."""
        size = self._plan.entries * self._plan.leaf_size
        return self._plan.kind in DATA and self._plan.entries <= SMALL and size <= LIGHT

    @property
    def is_cpumap(self) -> bool:
        """Whether packets that are redirected to it go on here, on another CPU."""
        return self._plan.kind == CPUMAP

    @property
    def about(self) -> str:
        """What it is, how large, and how it is used."""
        kind, room = self._plan.about, f"{self._plan.entries:,}"
        size = f"of {room} bytes" if self._plan.kind == RINGBUF else f"with room for {room}"
        return f"{kind.words} {size}{f'; {kind.use}' if kind.use else ''}"

    def _need_entries(self) -> None:
        if not self._plan.about.reads:
            raise LabError(f"{self.name} has no entries that can be read: it is {self.about}")

    def _need_queue(self) -> None:
        if self._plan.kind not in QUEUES:
            raise LabError(f"{self.name} is no queue and no stack: it is {self.about}")

    def _key(self, key: Any) -> bytes:
        if self._plan.kind == LPM_TRIE and (network := self._network(key)):
            length: bytes = network.prefixlen.to_bytes(PREFIX, sys.byteorder)
            return length + bytes(network.network_address.packed)
        return bytes(self._made(self._key_type, key, "a key"))

    def _network(self, key: Any) -> Any:
        """A key that is written as a network; None for one that is written otherwise."""
        wanted = WIDTHS.get(self._plan.key_size - PREFIX)
        if wanted is None or not isinstance(key, (str, ipaddress._IPAddressBase)):
            return None
        try:
            return wanted(str(key))
        except ValueError as error:
            raise LabError(f"{key} is no key of {self.name}: {error}") from None

    def _made(self, kind: Any, value: Any, what: str) -> Any:
        try:
            return made(kind, value)
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            raise LabError(not_made(self._plan, kind, value, what, error)) from None

    def _value_of(self, raw: bytes) -> Any:
        if not self._copies:
            return plain(self._value_type.from_buffer_copy(raw))
        parts = (raw[n * self._stride :] for n in range(self._copies))
        return PerCPU(plain(self._value_type.from_buffer_copy(part)) for part in parts)

    def __getitem__(self, key: Any) -> Any:
        self._need_entries()
        raw = self._elements.get(self._key(key))
        if raw is None:
            raise self._no_entry(key)
        return self._value_of(raw)

    def _no_entry(self, key: Any) -> NoSuchEntry:
        same = isinstance(key, dict) and self._plan.entries <= MOST
        if same and any(dict(key) == dict(one) for one in self):
            return NoSuchEntry(
                f"{self.name} has no entry {key} with zeros between its fields, and has one with "
                f"other bytes there; take the key from the map: next(iter({self.name}))"
            )
        number = int.from_bytes(self._key(key), sys.byteorder)
        if self._plan.kind in NUMBERED and number >= self._plan.entries:
            return NoSuchEntry(no_place(self._plan, key))
        return NoSuchEntry(f"{self.name} has no entry {key}")

    def __setitem__(self, key: Any, value: Any) -> None:
        kind = self._plan.about
        if not (kind.reads or kind.use.startswith("a place takes")):
            raise LabError(f"{self.name} has no entries that can be set: it is {self.about}")
        wanted = value.index if isinstance(value, Interface) else value
        if isinstance(value, Interface) and self._plan.leaf_size > 4:  # struct bpf_devmap_val
            wanted = value.index.to_bytes(4, sys.byteorder).ljust(self._plan.leaf_size, b"\0")
        if kind.use and hasattr(wanted, "fd"):  # of a Program, or of a map
            wanted = wanted.fd
        new, at = self._value(wanted), self._key(key)
        # A device map takes an interface by its number in the namespace of whoever writes.
        place = value.host.inside() if isinstance(value, Interface) else contextlib.nullcontext()
        with place:
            try:
                self._elements.put(at, new)
            except OSError as error:
                raise LabError(refused(self._plan, key, error)) from None

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
        self._need_entries()
        if not self._remove(self._key(key)):
            raise self._no_entry(key)

    def _remove(self, key: bytes) -> bool:
        if self._plan.kind in ARRAYS and (old := self._elements.get(key)) is not None:
            self._elements.put(key, bytes(len(old)))
            return True
        return self._elements.remove(key)

    def _keys(self) -> Iterator[bytes]:
        """Those of its elements; of an array with empty places the others."""
        self._need_entries()
        if self._plan.kind not in ARRAYS | PLACES:
            return self._elements.keys()
        keys = (number.to_bytes(4, sys.byteorder) for number in range(self._plan.entries))
        if self._plan.kind in PLACES:
            return (key for key in keys if self._elements.get(key) is not None)
        return keys

    def _key_of(self, raw: bytes) -> Any:
        key = plain(self._key_type.from_buffer_copy(raw))
        return tuple(key) if isinstance(key, list) else key

    def __iter__(self) -> Iterator[Any]:
        return map(self._key_of, list(self._keys()))

    def __len__(self) -> int:
        self._need_entries()
        return self._plan.entries if self._plan.kind in ARRAYS else sum(1 for _ in self._keys())

    def clear(self) -> None:
        """Set an array's values to 0; empty any other map."""
        if self._plan.kind in QUEUES:
            while self._elements.take() is not None:
                pass
            return
        for key in list(self._keys()):
            self._remove(key)

    def push(self, value: Any) -> None:
        """Add a value to a queue, or put it on top of a stack.

        Raises:
            LabError: when it is full, or is neither.
        """
        self._need_queue()
        try:
            self._elements.put(None, self._value(value))
        except OSError:
            raise LabError(f"{self.name} is full: it has {self._plan.entries:,} values") from None

    def peek(self) -> Any:
        """The value that `pop` would take; it stays."""
        return self._next(self._elements.get(None) if self._plan.kind in QUEUES else None)

    def popitem(self) -> Any:
        """Take an entry out; of a queue or a stack, `pop` takes a value."""
        self._need_entries()
        return super().popitem()

    def pop(self, *key: Any) -> Any:
        """Take a value out: of a queue the oldest, of a stack the newest, else that of a key."""
        if key or self._plan.kind not in QUEUES:
            self._need_entries()
            return super().pop(*key)
        return self._next(self._elements.take())

    def read(self, struct: str = "") -> list[Any]:
        """Take all records out of a ring buffer, the oldest first.

        Args:
            struct: of which struct of the C they are; without it, of that which the C puts there,
                or else of the only one of a record's size.

        Returns:
            structs as dicts; bytes, where it is not clear of which struct a record is.
        """
        if self._plan.kind != RINGBUF:
            raise LabError(f"{self.name} is no ring buffer: it is {self.about}")
        return read_as(taken(self._fd), self._structs, struct or self._struct)

    def _next(self, raw: bytes | None) -> Any:
        self._need_queue()
        if raw is None:
            raise NoSuchEntry(f"{self.name} is empty")
        return self._value_of(raw)

    def raw(self) -> dict[bytes, bytes]:
        """Its entries as bytes, at most `MOST`; one that goes meanwhile is left out."""
        pairs = ((key, self._elements.get(key)) for key in itertools.islice(self._keys(), MOST))
        return {key: value for key, value in pairs if value is not None}

    def shown(self, key: bytes, value: bytes | None) -> tuple[str, Any]:
        """An entry as a listing has it: its key in words, and its value.

        Args:
            key: as `raw` gives it.
            value: likewise; None where there is none.
        """
        words, width = str(self._key_of(key)), self._plan.key_size - PREFIX
        if self._plan.kind == LPM_TRIE and width in WIDTHS:
            length = int.from_bytes(key[:PREFIX], sys.byteorder)
            with contextlib.suppress(ValueError):
                words = str(WIDTHS[width]((key[PREFIX:], length), strict=False))
        return words, None if value is None else self._value_of(value)

    def __repr__(self) -> str:
        if not self._plan.about.reads:
            return f"{self.name}\n  ({self.about})"
        entries = [self.shown(*entry) for entry in self.raw().items()]
        if self._plan.kind == PROG_ARRAY:
            entries = [(key, f"{name_of(number)}, program {number}") for key, number in entries]
        shown = [one for one in entries if len(entries) <= MANY or not is_zero(one[1])]
        rows = [f"  {key}: {short(str(value))}" for key, value in shown]
        if zeros := len(entries) - len(shown):
            rows.append(f"  ({'and ' if rows else ''}{zeros} entries of 0)")
        if len(entries) == MOST < self._plan.entries:
            rows.append(f"  (these are the first {MOST:,} entries; the others were not read)")
        empty = self.about if self._plan.about.use else "empty"
        return "\n".join([self.name, *(rows or [f"  ({empty})"])])
