"""Types and lines as an object file tells them.  Source: Documentation/bpf/btf.rst."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

INT, PTR, ARRAY, STRUCT, UNION, ENUM = range(1, 7)
TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FUNC_PROTO, VAR, DATASEC = range(8, 16)
FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = range(16, 20)
_OTHER_NAMES = {TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG, VAR}
_SIZED = {INT, STRUCT, UNION, ENUM, DATASEC, FLOAT, ENUM64}
# Bytes behind a type, and how many more for each of its elements.
_BEHIND = {INT: (4, 0), ARRAY: (12, 0), STRUCT: (0, 12), UNION: (0, 12), ENUM: (0, 8)}
_BEHIND |= {FUNC_PROTO: (0, 8), VAR: (4, 0), DATASEC: (0, 12), DECL_TAG: (4, 0), ENUM64: (0, 12)}

_HEAD = struct.Struct("=HBBIIIII")
_TYPE = struct.Struct("=III")
_SIGNED, _BOOLEAN = 1, 4
_GLOBAL = 1  # BTF_FUNC_GLOBAL
_FUNCTIONS, _LINES = 0, 2  # their places in the head of .BTF.ext
_FIELDS = {_FUNCTIONS: 1, _LINES: 3}
_DEEPEST = 16  # structs within structs; what a program keeps has two or three


class Line(NamedTuple):
    """The line of C that an instruction comes from."""

    instruction: int  # from the section's beginning
    file: str
    number: int
    text: str


class _Type(NamedTuple):
    name: str
    kind: int
    flag: bool
    size: int  # or the number of another type
    rest: bytes
    elements: int = 0  # how many; of a function whether it is static, global or elsewhere


class Btf:
    """The types of an object file, described in what JSON has.

    A description is a dict: ``{"number": bytes, "signed": …, "names": {…} of an enum}``,
    ``{"array": description, "length": …}``, or ``{"struct": name, "size": bytes, "fields":
    [[name, offset, description], …]}``; of a union, ``{"union": …}`` likewise.
    """

    def __init__(self, data: bytes) -> None:
        """Read the section .BTF.

        Raises:
            ValueError: if it is none.
        """
        self._types = [_Type("", 0, False, 0, b"")]  # void
        try:
            _, _, _, length, types, size, texts, _ = _HEAD.unpack_from(data)
            self.texts = data[length + texts :]
            at, end = length + types, length + types + size
            while at < end:
                name, info, size = _TYPE.unpack_from(data, at)
                kind, count = info >> 24 & 31, info & 0xFFFF
                once, each = _BEHIND.get(kind, (0, 0))
                begin = at + _TYPE.size
                at = begin + once + each * count
                kept = _Type(self.text(name), kind, bool(info >> 31), size, data[begin:at], count)
                self._types.append(kept)
        except (struct.error, IndexError, ValueError) as error:
            raise ValueError(f"no BTF: {error}") from None

    def text(self, at: int) -> str:
        """One of its texts."""
        return self.texts[at : self.texts.index(0, at)].decode(errors="replace")

    def named(self, name: str) -> int:
        """The number of the struct with this name; 0 where there is none."""
        found = (n for n, one in enumerate(self._types) if one.kind == STRUCT and one.name == name)
        return next(found, 0)

    def structs(self) -> dict[str, Any]:
        """All structs that have a name, described."""
        named = [one.name for one in self._types if one.kind == STRUCT and one.name]
        return {name: self.describe(self.named(name)) for name in named}

    def is_global(self, number: int) -> bool:
        """Whether a type is that of a function which the verifier looks at by itself."""
        one = self._types[number] if number < len(self._types) else self._types[0]
        return one.kind == FUNC and one.elements == _GLOBAL

    def variables(self, section: str) -> Iterator[tuple[str, Any]]:
        """The variables of a section such as ``.bss``: name, description; libbpf has the rest."""
        for one in self._types:
            if one.kind == DATASEC and one.name == section:
                for number, _, _ in struct.iter_unpack("=III", one.rest):
                    yield self._types[number].name, self.describe(number)

    def describe(self, number: int, depth: int = 0) -> Any:
        """A type in what JSON has."""
        one = self._at(number)
        if one.kind == ARRAY:
            element, _, length = struct.unpack("=III", one.rest)
            return {"array": self.describe(element, depth + 1), "length": length}
        if one.kind in (STRUCT, UNION):
            word = "struct" if one.kind == STRUCT else "union"
            fields = list(self._fields(one, depth)) if depth < _DEEPEST else []
            return {word: one.name, "size": one.size, "fields": fields}
        if one.kind in (ENUM, ENUM64):
            return {"number": one.size, "signed": one.flag, "names": self._names(one)}
        if one.kind == INT:
            encoding = struct.unpack("=I", one.rest)[0] >> 24 & 15
            text = one.name == "char"
            return {"number": one.size, "signed": bool(encoding & _SIGNED)} | (
                {"text": True} if text else {}
            )
        if one.kind == FLOAT:
            return {"array": {"number": 1, "signed": False}, "length": one.size}
        return {"number": 8, "signed": False}  # a pointer

    def _at(self, number: int) -> _Type:
        """A type by its number, what it is another name for."""
        for _ in range(len(self._types)):
            one = self._types[number]
            if one.kind not in _OTHER_NAMES:
                return one
            number = one.size
        raise ValueError("a type that is another name for itself")

    def _names(self, one: _Type) -> dict[str, int]:
        if one.kind == ENUM:
            form = "=Ii" if one.flag else "=II"
            return {self.text(name): value for name, value in struct.iter_unpack(form, one.rest)}
        parts = struct.iter_unpack("=III", one.rest)
        return {self.text(name): low | high << 32 for name, low, high in parts}

    def _fields(self, one: _Type, depth: int) -> Iterator[list[Any]]:
        """Each with its offset in bytes; bits that share a number are one number."""
        bits: list[tuple[str, int]] = []
        for name, kind, place in struct.iter_unpack("=III", one.rest):
            width, at = (place >> 24, place & 0xFFFFFF) if one.flag else (0, place)
            described = self.describe(kind, depth + 1)
            if width or at % 8:
                bits.append((self.text(name), at // 8))
                continue
            yield from _joined(bits, at // 8)
            bits = []
            inner = self._at(kind)
            if not name and inner.kind == STRUCT:  # its fields are the outer one's
                for field, offset, what in described["fields"]:
                    yield [field, at // 8 + offset, what]
                continue
            if not name and inner.kind == UNION:
                name_of_it = "/".join(field for field, *_ in described["fields"])
                yield [name_of_it, at // 8, described]
                continue
            yield [self.text(name), at // 8, described]
        yield from _joined(bits, one.size)


def size_of(described: Any) -> int:
    """Bytes of what is described."""
    if "array" in described:
        return size_of(described["array"]) * int(described["length"])
    return int(described["number"] if "number" in described else described["size"])


def _joined(bits: list[tuple[str, int]], end: int) -> Iterator[list[Any]]:
    """Neighbours that are bits of the same bytes, as those bytes."""
    if not bits:
        return
    begin = bits[0][1]
    last = bits[-1][1]
    size = next((n for n in (1, 2, 4, 8) if last < begin + n <= end), end - begin)
    described: Any = {"number": size, "signed": False}
    if size not in (1, 2, 4, 8):
        described = {"array": {"number": 1, "signed": False}, "length": size}
    yield ["/".join(name for name, _ in bits), begin, described]


def lines(data: bytes, texts: Btf) -> dict[str, list[Line]]:
    """Which lines the instructions of each code section come from: section .BTF.ext."""
    found: dict[str, list[Line]] = {}
    for section, place, (file, text, number) in _records(data, texts, _LINES):
        line = Line(place // 8, texts.text(file), number >> 10, texts.text(text).strip())
        found.setdefault(section, []).append(line)
    return found


def functions(data: bytes, types: Btf) -> Iterator[tuple[str, int, bool]]:
    """The functions of an object file: section, byte, whether each is global: section .BTF.ext."""
    for section, place, (number,) in _records(data, types, _FUNCTIONS):
        yield section, place, types.is_global(number)


def _records(data: bytes, texts: Btf, which: int) -> Iterator[tuple[str, int, tuple[int, ...]]]:
    if len(data) < 24:
        return
    _, _, _, length, *places = struct.unpack_from("=HBBIIIII", data)
    at = length + places[which]
    end = at + places[which + 1]
    record = struct.unpack_from("=I", data, at)[0]
    fields = struct.Struct("=I" + _FIELDS[which] * "I")
    at += 4
    while at < end:
        section, count = struct.unpack_from("=II", data, at)
        at += 8
        for _ in range(count):
            place, *rest = fields.unpack_from(data, at)
            at += record
            yield texts.text(section), place, tuple(rest)
