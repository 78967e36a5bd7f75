"""What a map holds, as Python shows and takes it: numbers, bytes, and structs as dicts.

BCC tells the C types of keys and values; here they are ctypes' types.
"""

from __future__ import annotations

import ctypes
import ipaddress
import json
from collections.abc import Iterable
from typing import Any

from ..errors import LabError

BYTES = {ctypes.c_ubyte, ctypes.c_char}


def type_of(described: str) -> Any:
    """The ctypes type that BCC describes, a number's or a struct's.

    Args:
        described: JSON, as BCC's library gives it for a map's keys and values.
    """
    from bcc import BPF  # which takes long to load, and a stranger's answer has none of it

    return BPF._decode_table_type(json.loads(described))


class PerCPU(tuple[Any, ...]):
    """One value of a per-CPU map: a copy for each possible CPU, in order of CPU number.

    Possible, not present: the kernel keeps a copy for a CPU that may yet be plugged in.
    """

    @property
    def sum(self) -> Any:
        """What all CPUs counted together; of structs, field by field."""
        if self and isinstance(self[0], dict):
            return Struct({name: sum(copy[name] for copy in self) for name in self[0]})
        return sum(self)

    def __repr__(self) -> str:
        copies = [f"CPU {cpu}: {value}" for cpu, value in enumerate(self) if not is_zero(value)]
        if 0 < len(copies) < len(self):
            copies.append("the other copies: 0")
        return f"{', '.join(copies) or 'every copy: 0'}; sum {self.sum}"


class Struct(dict[str, Any]):
    """A struct of C: its fields by name; usable as a key, as it is in the map.

    It is a copy, so setting a field of it is refused: that would change nothing in the map.
    """

    def __hash__(self) -> int:  # type: ignore[override]  # a dict has none
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


def plain(value: Any) -> Any:
    if isinstance(value, ctypes.Structure):
        return Struct(
            {
                name: plain(getattr(value, name))
                for name, *_ in value._fields_
                if not name.startswith("__pad")  # BCC names the gaps too
            }
        )
    if isinstance(value, ctypes.Union) or (
        isinstance(value, ctypes.Array) and value._type_ in BYTES
    ):
        return bytes(value)
    if isinstance(value, (list, ctypes.Array)):
        return [plain(element) for element in value]
    return getattr(value, "value", value)


def _named(fields: Iterable[str]) -> set[str]:
    """Those that the C has: BCC names gaps too."""
    return {name for name in fields if not name.startswith("__pad")}


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
    if isinstance(value, (tuple, list, bytes)):
        return not any(value)
    return bool(value == 0)


def raw_bytes(value: Any) -> bytes | None:
    """The bytes of what is kept as bytes, None for all else; numpy's numbers are numbers."""
    try:
        view = memoryview(value)
    except TypeError:
        return None
    return view.tobytes() if view.ndim else None


def made(kind: Any, value: Any) -> Any:
    raw = raw_bytes(value)
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
        return kind(**{name: made(fields[name], part) for name, part in value.items()})
    if isinstance(value, (tuple, list)):
        if issubclass(kind, ctypes.Array) and len(value) != kind._length_:
            raise ValueError
        return kind(*value)
    return kind(value)
