"""What an object file has, read from its ELF headers.  Sources: elf(5); LLVM's BPF back end.

Only what libbpf does not tell before it loads: the code of functions that are no program of their
own, where variables lie, and which line of C each instruction comes from.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

_HEADER = struct.Struct("=16xHHIQQQIHHHHHH")
_SECTION = struct.Struct("=IIQQQQIIQQ")
_SYMBOL = struct.Struct("=IBBHQQ")
MOST = 1 << 26  # zeros that are believed
_RELOCATION = struct.Struct("=QQ")
_EXECUTABLE = 0x4  # SHF_EXECINSTR
_NO_BITS, _SYMBOLS, _RELOCATIONS = 8, 2, 9  # SHT_NOBITS, SHT_SYMTAB, SHT_REL
_LOCAL, _HIDDEN = 0, (1, 2)  # STB_LOCAL; STV_INTERNAL and STV_HIDDEN


class Section(NamedTuple):
    """A section: its name, its bytes (zeros, if the file has none), whether they are code."""

    name: str
    data: bytes
    is_code: bool


class Symbol(NamedTuple):
    """A name, where it stands (in which section, and from which byte on), and its size in bytes.

    Local is what other files cannot use; what is hidden from them libbpf takes for static, too.
    """

    name: str
    section: int  # 0: nowhere
    offset: int
    size: int
    is_local: bool = True
    is_hidden: bool = False


class Elf:
    """An object file that clang made for BPF.

    Attributes:
        sections: in the file's order; their places are what symbols count by.
        symbols: those with a name.
        relocations: by section and byte, from which section and byte on that place is meant.
    """

    def __init__(self, data: bytes) -> None:
        """Read it.

        Raises:
            ValueError: if it is no such file.
        """
        if data[:6] not in (b"\x7fELF\2\1", b"\x7fELF\2\2"):
            raise ValueError("no ELF file of 64 bits")
        try:
            self._read(data)
        except (struct.error, IndexError) as error:
            raise ValueError(f"a broken ELF file: {error}") from None

    def _read(self, data: bytes) -> None:
        *_, at, _, _, _, _, size, count, names = _HEADER.unpack_from(data)
        heads = [_SECTION.unpack_from(data, at + number * size) for number in range(count)]
        texts = heads[names][4]
        self.sections = [
            Section(
                _text(data, texts + head[0]),
                bytes(min(head[5], MOST))
                if head[1] == _NO_BITS
                else data[head[4] : head[4] + head[5]],
                bool(head[2] & _EXECUTABLE),
            )
            for head in heads
        ]
        self.symbols, self.relocations = list[Symbol](), dict[tuple[int, int], tuple[int, int]]()
        for head, here in zip(heads, self.sections, strict=True):
            if head[1] == _SYMBOLS:
                texts = self.sections[head[6]].data
                for text, info, other, section, offset, length in _SYMBOL.iter_unpack(here.data):
                    bound = info >> 4 == _LOCAL, other & 3 in _HIDDEN
                    if name := _text(texts, text):
                        self.symbols.append(Symbol(name, section, offset, length, *bound))
            elif head[1] == _RELOCATIONS:
                table = self.sections[head[6]].data
                for offset, info in _RELOCATION.iter_unpack(here.data):
                    _, _, _, section, at, _ = _SYMBOL.unpack_from(
                        table, _SYMBOL.size * (info >> 32)
                    )
                    self.relocations[head[7], offset] = section, at

    def section(self, name: str) -> bytes:
        """The bytes of the section with this name; none where there is none."""
        return next((one.data for one in self.sections if one.name == name), b"")

    def code(self) -> Iterator[bytes]:
        """All instructions, section by section."""
        return (one.data for one in self.sections if one.is_code)

    def is_in(self, symbol: Symbol, section: str) -> bool:
        """Whether a name stands in the section with this name."""
        number = symbol.section
        return 0 < number < len(self.sections) and self.sections[number].name == section

    def undefined(self) -> list[str]:
        """What is declared and used, and stands nowhere in the file."""
        return [one.name for one in self.symbols if one.section == 0]


def _text(data: bytes, at: int) -> str:
    """A text that ends with a zero."""
    return data[at : data.index(0, at)].decode(errors="replace")
