"""A program's variables: where they lie in its object file, and what its constants are to be."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import LabError
from ..maps.described import described
from ..maps.values import OutOfRange, form_of, made
from .btf import Btf, size_of
from .elf import Elf


def initial(constants: Mapping[str, Any], has: Mapping[str, tuple[int, Any]], data: bytes) -> bytes:
    """The bytes of .rodata with some of its variables set.

    Args:
        constants: what they are to be, by name.
        has: where each variable lies, and its type, as maps/described.py takes it.
        data: the bytes that the C gives.

    Raises:
        LabError: for a variable that is not there, or a value that it cannot have.
    """
    changed = bytearray(data)
    for name, value in constants.items():
        if name not in has:
            there = f"it has {', '.join(has)}" if has else "it has none"
            raise LabError(
                f"the program has no constant {name!r}: {there}; one is made by "
                "const volatile, outside of every function"
            )
        at, kind = has[name]
        raw = raw_of(described(kind), value, f"the constant {name}")
        changed[at : at + len(raw)] = raw
    return bytes(changed)


def raw_of(kind: Any, value: Any, what: str) -> bytes:
    """A value as a C type has it in memory.

    Raises:
        LabError: if it is no such value.
    """
    try:
        made_of_it = made(kind, value)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        why = str(error) if isinstance(error, OutOfRange) else ""
        raise LabError(f"{what} is {form_of(kind)}, not {value!r}{why}") from None
    return bytes(made_of_it) if ctypes.sizeof(kind) else b""


def placed(section: str, file: Elf, types: Btf) -> Iterator[tuple[str, int, Any]]:
    """A section's variables: name, offset, description.

    What has a dot in its name is a function's own.  Of a static array clang may keep some elements
    alone; it is left out then.
    """
    at = {one.name: one for one in file.symbols if file.is_in(one, section)}
    for name, kind in types.variables(section):
        if "." not in name and name in at and at[name].size == size_of(kind):
            yield name, at[name].offset, kind
