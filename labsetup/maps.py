"""BPF maps as Python mappings; a per-CPU map shows every CPU's copy and their sum."""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

from . import libbpf
from .hosts import Interface, NoSuchEntry
from .sandbox import LabError

# enum bpf_map_type, linux/bpf.h: hash, array, their per-CPU and LRU forms, LPM trie.
READABLE = {1, 2, 5, 6, 9, 10, 11}
PER_CPU = {5, 6, 10}
DEVMAP = 14
BYTES = {ctypes.c_ubyte, ctypes.c_char}
SMALL, LIGHT = 256, 8192  # entries, and bytes, that are soon read
LONGEST = 200  # characters of an entry in a listing
MANY = 16  # entries; of more than that, those of 0 are not listed


class PerCPU(tuple[int, ...]):
    """One value of a per-CPU map: a copy for each possible CPU, in order of CPU number.

    Possible, not present: the kernel keeps a copy for a CPU that may yet be plugged in.
    """

    @property
    def sum(self) -> int:
        """What all CPUs counted together."""
        return sum(self)

    def __repr__(self) -> str:
        copies = [f"CPU {cpu}: {value}" for cpu, value in enumerate(self) if value]
        if 0 < len(copies) < len(self):
            copies.append("the other copies: 0")
        return f"{', '.join(copies) or 'every copy: 0'}; sum {self.sum}"


class Map(MutableMapping[Any, Any]):
    """A map of a loaded program, read and written by one bpf(2) call an entry.

    Keys and values are ints where the C type is an integer, and dicts for a struct. Any of them,
    and any field of a struct, may be written as the very bytes that it has in memory: bytes, or
    a numpy array; only text, an array of char, may be shorter. A value of a per-CPU map is a
    `PerCPU`; writing an int to it sets every CPU's copy. A device map takes interfaces, such as
    ``net.middle.eth1``.
    """

    def __init__(self, name: str, table: Any) -> None:
        self.name, self._table = name, table

    @property
    def id(self) -> int:
        """The number by which `bpftool map` finds it."""
        return libbpf.map_id(self._table.map_fd)

    @property
    def is_small(self) -> bool:
        """Whether all its entries can be read between two packets."""
        leaf, entries = self._table.Leaf, self._table.max_entries
        size = ctypes.sizeof(leaf._type_ if self._table.ttype in PER_CPU else leaf)
        return self._table.ttype in READABLE and entries <= SMALL and entries * size <= LIGHT

    def _key(self, key: Any) -> Any:
        return self._made(self._table.Key, key, "a key")

    def _made(self, kind: Any, value: Any, what: str) -> Any:
        try:
            return _made(kind, value)
        except (KeyError, TypeError, ValueError, IndexError):
            raw = _raw(value)
            given = repr(value) if raw is None else f"{len(raw)} bytes"
            form = _form(kind)
            if raw is not None and not form.endswith("bytes"):
                form = f"{form}, {ctypes.sizeof(kind)} bytes"
            how = _how(kind, value)
            raise LabError(f"{what} of map {self.name} is {form}, not {given}{how}") from None

    def __getitem__(self, key: Any) -> Any:
        try:
            value = self._table[self._key(key)]
        except (KeyError, IndexError):
            raise NoSuchEntry(f"{self.name} has no entry {key}") from None
        return PerCPU(_plain(value)) if self._table.ttype in PER_CPU else _plain(value)

    def __setitem__(self, key: Any, value: Any) -> None:
        plain = value.index if isinstance(value, Interface) else value
        if self._table.ttype in PER_CPU and not isinstance(value, (tuple, list)):
            plain = [value] * self._table.Leaf._length_  # a leaf is an array of copies
        new = self._made(self._table.Leaf, plain, "a value")
        # A device map takes an interface by its number in the namespace of whoever writes.
        place = value.host.inside() if isinstance(value, Interface) else contextlib.nullcontext()
        made = self._key(key)
        with place:
            try:
                self._table[made] = new
            except Exception as error:  # BCC raises nothing more particular
                raise LabError(f"the kernel refused {self.name}[{key}]: {error}") from None

    def __delitem__(self, key: Any) -> None:
        try:
            del self._table[self._key(key)]
        except (KeyError, IndexError):
            raise NoSuchEntry(f"{self.name} has no entry {key}") from None

    def __iter__(self) -> Iterator[Any]:
        keys = list(self._table.keys())
        if self._table.ttype == DEVMAP:  # an array with empty places
            keys = [key for key in keys if self._filled(key)]
        return (_plain(key) for key in keys)

    def _filled(self, key: Any) -> bool:
        try:
            self._table[key]
        except (KeyError, IndexError):
            return False
        return True

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def clear(self) -> None:
        """Set an array's values to 0; empty any other map."""
        self._table.clear()

    def __repr__(self) -> str:
        entries = list(self.items())
        shown = [one for one in entries if len(entries) <= MANY or not _is_zero(one[1])]
        rows = [f"  {key}: {_short(repr(value))}" for key, value in shown]
        if zeros := len(entries) - len(shown):
            rows.append(f"  ({'and ' if rows else ''}{zeros} entries of 0)")
        return "\n".join([self.name, *(rows or ["  (empty)"])])


class Struct(dict[str, Any]):
    """A struct of C: its fields by name; usable as a key, as it is in the map.

    It is a copy, so setting a field of it is refused: that would change nothing in the map.
    """

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self.items()))

    def __setitem__(self, name: str, value: Any) -> None:
        raise LabError(
            "this is a copy, and the map would not change; assign the whole entry: "
            f"some_map[key] = some_map[key] | {{{name!r}: …}}"
        )

    def update(self, *args: Any, **fields: Any) -> None:
        """Refused, like setting one field."""
        self[next(iter(dict(*args, **fields)), "field")] = None

    def __reduce__(self) -> Any:  # a copy of a copy sets no fields
        return Struct, (dict(self),)


def _plain(value: Any) -> Any:
    if isinstance(value, ctypes.Structure):
        return Struct(
            {
                name: _plain(getattr(value, name))
                for name, *_ in value._fields_
                if not name.startswith("__pad")  # BCC names the gaps too
            }
        )
    if isinstance(value, ctypes.Union) or (
        isinstance(value, ctypes.Array) and value._type_ in BYTES
    ):
        return bytes(value)
    if isinstance(value, (list, ctypes.Array)):
        return [_plain(element) for element in value]
    return getattr(value, "value", value)


def _named(fields: Iterable[str]) -> set[str]:
    """Those that the C has: BCC names gaps too."""
    return {name for name in fields if not name.startswith("__pad")}


def _form(kind: Any) -> str:
    """How a value of a C type is written in Python."""
    if issubclass(kind, ctypes.Union):
        return f"{ctypes.sizeof(kind)} bytes"
    if issubclass(kind, ctypes.Structure):
        parts = [f"{n!r}: {_form(k)}" for n, k, *_ in kind._fields_ if not n.startswith("__pad")]
        return f"{{{', '.join(parts)}}}"
    if issubclass(kind, ctypes.Array):
        size = kind._length_
        return f"{size} bytes" if kind._type_ in BYTES else f"a list of {size} numbers"
    return f"a number of {ctypes.sizeof(kind)} bytes"


def _how(kind: Any, value: Any) -> str:
    """How an IPv4 address is written where a program keeps it as a number."""
    if not (issubclass(kind, ctypes.c_uint32) and isinstance(value, str)):
        return ""
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return ""
    return f"; as a program reads it: int.from_bytes(socket.inet_aton({value!r}), sys.byteorder)"


def _is_zero(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_zero(part) for part in value.values())
    if isinstance(value, (tuple, list, bytes)):
        return not any(value)
    return value == 0


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _raw(value: Any) -> bytes | None:
    """The bytes of what is kept as bytes, None for all else; numpy's numbers are numbers."""
    try:
        view = memoryview(value)
    except TypeError:
        return None
    return view.tobytes() if view.ndim else None


def _made(kind: Any, value: Any) -> Any:
    raw = _raw(value)
    if raw is not None:
        is_text = issubclass(kind, ctypes.Array) and kind._type_ is ctypes.c_char
        # Text may be short. An address with zeros behind it is another address.
        raw = raw.ljust(ctypes.sizeof(kind) if is_text else 0, b"\0")
        if len(raw) != ctypes.sizeof(kind):
            raise ValueError
        # A char array within a struct is set from bytes, any other type from its like.
        return raw if is_text else kind.from_buffer_copy(raw)
    if issubclass(kind, ctypes.Structure) and not isinstance(value, (dict, tuple, list)):
        raise TypeError
    if isinstance(value, dict):
        fields = {name: part for name, part, *_ in kind._fields_}
        if issubclass(kind, ctypes.Structure) and not value.keys() >= _named(fields):
            raise ValueError  # what is left out would be 0
        return kind(**{name: _made(fields[name], part) for name, part in value.items()})
    if isinstance(value, (tuple, list)):
        if issubclass(kind, ctypes.Array) and len(value) != kind._length_:
            raise ValueError
        return kind(*value)
    return kind(value)
