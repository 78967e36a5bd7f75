"""What a map holds, as Python shows and takes it: numbers, bytes, and structs as dicts.

BCC tells the C types of keys and values; here they are ctypes' types.
"""

from __future__ import annotations

import ctypes
import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import LabError
from .described import Named
from .described import described as of_object

BYTES = {ctypes.c_ubyte, ctypes.c_char}
FLOATS = (ctypes.c_float, ctypes.c_double, ctypes.c_longdouble)


class OutOfRange(ValueError):
    """A number that its C type does not hold; the message ends a sentence about the whole."""


def type_of(described: str, size: int) -> Any:
    """The ctypes type that is described, a number's or a struct's.

    Args:
        described: JSON, as BCC's library gives it for a map's keys and values, or as an object
            file's types are described.
        size: bytes of it, as the kernel knows it.  A type that ctypes lays out otherwise (bit
            fields, an array of arrays) is shown as these bytes.
    """
    if described.startswith("{"):
        kind = of_object(json.loads(described))
        return kind if ctypes.sizeof(kind) == size else ctypes.c_ubyte * size
    from bcc import BPF  # which takes long to load; a stranger's answer has none of it

    BPF.str2ctype.setdefault("signed char", ctypes.c_byte)
    try:
        kind = BPF._decode_table_type(json.loads(described))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ctypes.c_ubyte * size
    if ctypes.sizeof(kind) == size:
        return kind
    is_number = issubclass(kind, ctypes._SimpleCData)
    if is_number and size % ctypes.sizeof(kind) == 0:  # BCC tells the elements of an array alone
        return kind * (size // ctypes.sizeof(kind))
    return ctypes.c_ubyte * size


class PerCPU(tuple[Any, ...]):
    """One value of a per-CPU map: a copy for each possible CPU, in order of CPU number.

    Possible, not present: the kernel keeps a copy for a CPU that may yet be plugged in.
    """

    @property
    def sum(self) -> Any:
        """What all CPUs counted together; of structs field by field, of bytes there is none."""
        return _sum(self)

    def __repr__(self) -> str:
        copies = [f"CPU {cpu}: {value}" for cpu, value in enumerate(self) if not is_zero(value)]
        if 0 < len(copies) < len(self):
            copies.append("the other copies: 0")
        return f"{', '.join(copies) or 'every copy: 0'}; sum {self.sum}"


def _sum(copies: Sequence[Any]) -> Any:
    first = copies[0] if copies else 0
    if isinstance(first, dict):
        return Struct({name: _sum([copy[name] for copy in copies]) for name in first})
    if isinstance(first, list):
        return [_sum(elements) for elements in zip(*copies, strict=True)]
    if isinstance(first, bytes):
        return first if len(set(copies)) == 1 else None
    return sum(copies)


class Struct(dict[str, Any]):
    """A struct of C: its fields by name; usable as a key, as it is in the map.

    It is a copy, so setting a field of it is refused: that would change nothing in the map.
    It keeps the bytes between its fields, too: to the kernel they belong to the key.
    """

    def __init__(self, fields: Mapping[str, Any], whole: ctypes.Structure | None = None) -> None:
        """Fields, and where they come from a map, all of it."""
        super().__init__(fields)
        self._whole = whole

    @property
    def holes(self) -> dict[int, int]:
        """By offset the bytes outside its fields that are not 0: C set the fields one by one."""
        if self._whole is None:
            return {}
        clean = bytes(made(type(self._whole), dict(self)))
        pairs = enumerate(zip(bytes(self._whole), clean, strict=True))
        return {at: ours ^ without for at, (ours, without) in pairs if ours != without}

    def as_in_memory(self, kind: Any) -> Any:
        """All its bytes as a struct of this C type, holes included; None if it is another one."""
        if self._whole is None or ctypes.sizeof(self._whole) != ctypes.sizeof(kind):
            return None
        same = kind.from_buffer_copy(self._whole)
        return same if dict.__eq__(plain(same), self) is True else None

    def __repr__(self) -> str:
        holes = ", ".join(f"{byte:#04x} at byte {at}" for at, byte in self.holes.items())
        return dict.__repr__(self) + (f" with {holes} between its fields" if holes else "")

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if dict.__eq__(self, other) is not True:
            return False
        return not isinstance(other, Struct) or self.holes == other.holes

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:  # type: ignore[override]  # a dict has none
        return hash(dict.__repr__(self))

    def __setitem__(self, name: str, value: Any) -> None:
        raise LabError(
            "this is a copy, and the map would not change; assign the whole entry: "
            f"some_map[key] = some_map[key] | {{{name!r}: …}}"
        )

    def update(self, *args: Any, **fields: Any) -> None:
        """Refused, like setting one field."""
        self[next(iter(dict(*args, **fields)), "field")] = None

    def __reduce__(self) -> Any:  # a copy of a copy sets no fields
        return Struct, (dict(self), self._whole)


def plain(value: Any) -> Any:
    """What ctypes has, as Python shows it."""
    if isinstance(value, ctypes.Structure):
        parts = {name: getattr(value, name) for name in _named(name for name, *_ in value._fields_)}
        # Of a struct within a struct the outer one keeps all bytes.
        return Struct({n: _without_holes(plain(part)) for n, part in parts.items()}, value)
    if isinstance(value, ctypes.Union) or (
        isinstance(value, ctypes.Array) and value._type_ in BYTES
    ):
        return bytes(value)
    if isinstance(value, (list, ctypes.Array)):
        return [_without_holes(plain(element)) for element in value]
    names = getattr(type(value), "names", {})
    number = getattr(value, "value", value)
    return next((Named(number, name) for name, its in names.items() if its == number), number)


def _without_holes(value: Any) -> Any:
    return Struct(value) if isinstance(value, Struct) else value


def _named(fields: Iterable[str]) -> list[str]:
    """Those that the C has: BCC names gaps too."""
    return [name for name in fields if not name.startswith("__pad")]


def form_of(kind: Any) -> str:
    """How a value of a C type is written in Python."""
    if issubclass(kind, ctypes.Union):
        return f"{ctypes.sizeof(kind)} bytes"
    if issubclass(kind, ctypes.Structure):
        parts = [f"{n!r}: {form_of(k)}" for n, k, *_ in kind._fields_ if not n.startswith("__pad")]
        return f"{{{', '.join(parts)}}}"
    if issubclass(kind, ctypes.Array):
        size = kind._length_
        return f"{size} bytes" if kind._type_ in BYTES else f"a list of {size} numbers"
    if names := getattr(kind, "names", None):
        return f"one of {', '.join(names)}"
    return f"a number of {ctypes.sizeof(kind)} bytes"


def how_to_write(kind: Any, value: Any) -> str:
    """How an IPv4 address is written where a program keeps it as a number."""
    if not (issubclass(kind, ctypes.c_uint32) and isinstance(value, str)):
        return ""
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return ""
    return f"; as a program reads it: int.from_bytes(socket.inet_aton({value!r}), sys.byteorder)"


def is_zero(value: Any) -> bool:
    if isinstance(value, dict):
        return all(is_zero(part) for part in value.values())
    if isinstance(value, bytes):
        return not any(value)
    if isinstance(value, (tuple, list)):
        return all(is_zero(part) for part in value)
    return bool(value == 0)


def raw_bytes(value: Any) -> bytes | None:
    """The bytes of what is kept as bytes, None for all else; numpy's numbers are numbers."""
    try:
        view = memoryview(value)
    except TypeError:
        return None
    return view.tobytes() if view.ndim else None


def made(kind: Any, value: Any) -> Any:
    """A value of a C type from what Python has; what lies between its fields is 0.

    Raises:
        TypeError, ValueError, KeyError, IndexError: when it is none.
    """
    raw = raw_bytes(value)
    if raw is not None:
        is_text = issubclass(kind, ctypes.Array) and kind._type_ is ctypes.c_char
        # Text may be short. An address with zeros behind it is another address.
        raw = raw.ljust(ctypes.sizeof(kind) if is_text else 0, b"\0")
        if len(raw) != ctypes.sizeof(kind):
            raise ValueError
        # A char array within a struct is set from bytes, any other type from its like.
        return raw if is_text else kind.from_buffer_copy(raw)
    if isinstance(value, Struct) and (same := value.as_in_memory(kind)) is not None:
        return same
    if issubclass(kind, ctypes.Structure):
        fields = {name: part for name, part, *_ in kind._fields_}
        names = _named(fields)
        if isinstance(value, (tuple, list)):
            value = dict(zip(names, value, strict=True))
        if not isinstance(value, dict):
            raise TypeError
        if not value.keys() >= set(names):
            raise ValueError  # what is left out would be 0
        return kind(**{name: made(fields[name], part) for name, part in value.items()})
    if isinstance(value, (tuple, list)):
        if not issubclass(kind, ctypes.Array) or len(value) != kind._length_:
            raise ValueError
        return kind(*(made(kind._type_, one) for one in value))
    return _number(kind, value)


def _number(kind: Any, value: Any) -> Any:
    """A number, or what ctypes takes for one; ctypes would cut one that does not fit."""
    if isinstance(value, str):
        value = getattr(kind, "names", {})[value]
    if hasattr(value, "__index__") and not issubclass(kind, FLOATS):
        low, high = _limits(kind)
        if not low <= int(value) <= high:
            raise OutOfRange(f"; {int(value)} is outside its range, {low:,} to {high:,}")
    return kind(value)


def _limits(kind: Any) -> tuple[int, int]:
    """The least and the greatest number that a C type holds."""
    if issubclass(kind, ctypes.c_bool):
        return 0, 1
    bits = 8 * ctypes.sizeof(kind)
    if not issubclass(kind, ctypes.c_char) and kind(-1).value == -1:
        return -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1
