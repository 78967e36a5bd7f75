"""Which line an instruction comes from, where clang compiled the reader's C as it stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from .listing import Listing, Place

READERS = "/virtual/main.c"  # what the reader's C is called, by BCC and here
LAST = 1000  # instructions at most that a function has behind the beginning of its last line


class ListingAsWritten(Listing):
    """Where each instruction comes from, by what the object file itself tells (BTF).

    Nothing was rewritten: clang, the file and newer verifiers count the reader's own lines.
    """

    language = "libbpf"

    def __init__(
        self,
        source: str,
        function: str,
        told: str,
        lines: Sequence[tuple[int, str, int, str]],
        loops: Sequence[tuple[int, int]],
    ) -> None:
        """Read it.

        Args:
            source: the reader's C.
            function: the name of its program.
            told: what clang said.
            lines: for instructions that begin a line their number, file, line, and its text.
            loops: the first and the last instruction of each.
        """
        super().__init__(source, function, "")
        self.before = told
        self._files: dict[tuple[int, str], str] = {}
        self._loops = [range(first, last + 1) for first, last in loops]
        starts = sorted(one for one in lines if one[2])  # 0: clang's own
        ends = [*(one[0] for one in starts[1:]), *(one[0] + LAST for one in starts[-1:])]
        for (first, file, number, text), end in zip(starts, ends, strict=True):
            self._files[number, text] = "" if file == READERS else PurePath(file).name
            for instruction in range(first, end):
                self._at[instruction] = number, text

    def original(self, line: int) -> int:
        """The same: nothing was rewritten."""
        return line

    def place(self, line: int, quoted: str) -> Place:
        """A line, as the reader would find it."""
        if file := self._files.get((line, quoted), ""):
            return Place(line, quoted, file)
        return Place(line, self.text(line) or quoted)
