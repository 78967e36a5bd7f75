"""Types as an object file describes them (compiling/btf.py), as ctypes has them."""

from __future__ import annotations

import ctypes
from typing import Any

_NUMBERS = {
    (1, False): ctypes.c_ubyte,
    (2, False): ctypes.c_uint16,
    (4, False): ctypes.c_uint32,
    (8, False): ctypes.c_uint64,
    (1, True): ctypes.c_byte,
    (2, True): ctypes.c_int16,
    (4, True): ctypes.c_int32,
    (8, True): ctypes.c_int64,
}


def described(one: Any) -> Any:
    """The ctypes type of a description; what lies between a struct's fields is named ``__pad…``."""
    if "number" in one:
        return _number(one)
    if "array" in one:
        is_text = one["array"].get("text", False)
        return (ctypes.c_char if is_text else described(one["array"])) * one["length"]
    is_struct = "struct" in one
    base = ctypes.Structure if is_struct else ctypes.Union
    fields, at = list[tuple[str, Any]](), 0
    for name, offset, what in one["fields"]:
        kind = described(what)
        if is_struct and offset > at:
            fields.append((f"__pad{at}", ctypes.c_ubyte * (offset - at)))
        fields.append((name, kind))
        at = offset + ctypes.sizeof(kind)
    if one["size"] > (at if is_struct else 0):
        begin = at if is_struct else 0
        fields.append((f"__pad{begin}", ctypes.c_ubyte * (one["size"] - begin)))
    name = one["struct" if is_struct else "union"] or "unnamed"
    return type(name, (base,), {"_pack_": 1, "_fields_": fields})


def _number(one: Any) -> Any:
    plain = _NUMBERS.get((one["number"], one["signed"]))
    if plain is None:  # of 16 bytes
        return ctypes.c_ubyte * one["number"]
    return type("enum", (plain,), {"names": one["names"]}) if "names" in one else plain


class Named(int):
    """A number that the C has a name for."""

    name: str

    def __new__(cls, number: int, name: str) -> Named:
        """A number, and what C calls it."""
        made = super().__new__(cls, number)
        made.name = name
        return made

    def __repr__(self) -> str:
        return self.name

    __str__ = __repr__

    def __reduce__(self) -> Any:
        return Named, (int(self), self.name)
