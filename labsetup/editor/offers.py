"""What the kernel answers to Tab and to Shift+Tab, where Python's own answers would be no help."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from ..practice import exercise as exercises
from ..programs.sources import SOURCES
from .clang import Word, words_at


class Offer(NamedTuple):
    """Names to go on with.

    Attributes:
        start: where the name that is being typed begins, in characters of the cell.
        end: where it ends, which is where the cursor is.
    """

    start: int
    end: int
    words: list[Word]


def _programs() -> list[Word]:
    return [
        Word(path.stem, "module")
        for path in sorted(SOURCES.glob("*.c"))
        if "struct xdp_md" in path.read_text()
    ]


def _headers() -> list[Word]:
    return [Word(path.name, "module") for path in sorted(SOURCES.glob("*.h"))]


def _exercises() -> list[Word]:
    return [Word(one.id, "text", "", one.title) for one in exercises.every().values()]


# What stands before the cursor, on its line: which names may follow.  The last group is the name.
_PLACES: tuple[tuple[re.Pattern[str], Callable[[], list[Word]]], ...] = (
    (re.compile(r"""\bProgram\(\s*["']([\w]*)$"""), _programs),
    (re.compile(r"""\bBalancer\([^"']*["']([\w]*)$"""), _programs),
    (re.compile(r"""\b(?:check|hint)\(\s*["']([\d.]*)$"""), _exercises),
    (re.compile(r"^%%xdp\s+\w+\s+--check\s+([\d.]*)$"), _exercises),
    (re.compile(r"""^\s*#\s*include\s+"([\w.]*)$"""), _headers),
)


def is_c(code: str) -> bool:
    """Whether a cell is one of C."""
    return code.startswith("%%xdp")


def complete(code: str, cursor: int) -> Offer | None:
    """Names that may stand at the cursor; None where Python is to answer.

    Args:
        code: the cell.
        cursor: in characters from its beginning.
    """
    before = code[:cursor]
    line = before[before.rfind("\n") + 1 :]
    for place, names in _PLACES:
        if found := place.search(line):
            typed = found[1]
            matching = [one for one in names() if one.name.startswith(typed)]
            return Offer(cursor - len(typed), cursor, matching) if matching else None
    if not is_c(code) or "\n" not in before:
        return None
    typed = re.search(r"\w*$", line)[0]  # type: ignore[index]  # it matches everywhere
    words = [one for one in _words(code, cursor - len(typed)) if one.name.startswith(typed)]
    if not typed.startswith("_"):
        words = [one for one in words if not one.name.startswith("_")]
    after_a_name = line[: len(line) - len(typed)].rstrip().endswith((".", "->"))
    if not typed and not after_a_name:  # hundreds: those of the course alone
        own = ("property", "keyword")
        words = [one for one in words if one.meaning or (one.kind in own and one.name.islower())]
    return Offer(cursor - len(typed), cursor, words)


def describe(code: str, cursor: int) -> str | None:
    """What the name at the cursor means, as text; None where Python is to answer, or nobody can.

    Args:
        code: the cell.
        cursor: in characters from its beginning.
    """
    if not is_c(code) or "\n" not in code[:cursor]:
        return None
    start = cursor - len(re.search(r"\w*$", code[:cursor])[0])  # type: ignore[index]
    name = re.match(r"\w*", code[start:])[0]  # type: ignore[index]
    if not name:  # behind an opening bracket, it is the function before it that is meant
        if not (called := re.search(r"(\w+)\s*\([^()]*$", code[:cursor])):
            return None
        start, name = called.start(1), called[1]
    found = next((one for one in _words(code, start) if one.name == name), None)
    if found is None or not (found.declared or found.meaning):
        return None
    return "\n\n".join(filter(None, (found.declared, found.meaning)))


def _words(code: str, start: int) -> list[Word]:
    """Those that clang knows, at a place in a cell; an empty line stands for the cell's first."""
    lines = code[:start].split("\n")
    source = code[code.index("\n") :]
    return words_at(source, len(lines), len(lines[-1].encode()) + 1)
