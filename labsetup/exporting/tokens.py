"""C taken apart into words, signs, texts, remarks and directives, and put together unchanged."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import LabError

SPACE, REMARK, TEXT, WORD, NUMBER, SIGN = "space", "remark", "text", "word", "number", "sign"
DIRECTIVE = "directive"  # a whole one, with the lines that it goes on

# What has no end reaches to the end of the file, so that no letter is looked at twice.
_TEXT = r""""(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'"""
_REMARK = r"/\*.*?(?:\*/|\Z)|//(?:\\\n|[^\n])*"
_TOKEN = re.compile(
    rf"(?P<directive>^[ \t]*\#(?:\\\n|{_REMARK}|{_TEXT}|[^\n])*)|(?P<remark>{_REMARK})|"
    rf"(?P<text>{_TEXT})|(?P<space>(?:\s|\\\n)+)|(?P<word>[A-Za-z_]\w*)|"
    r"(?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)|(?P<sign>->|\#\#|\.\.\.|.)",
    re.DOTALL | re.MULTILINE,
)
OPENING, CLOSING = set("([{"), set(")]}")


class Token(NamedTuple):
    """A piece of C.

    Attributes:
        line: of the file, from 1, on which it begins.
    """

    kind: str
    text: str
    line: int

    @property
    def counts(self) -> bool:
        """Whether the compiler sees it: it is no space and no remark."""
        return self.kind not in (SPACE, REMARK)


class Untranslatable(LabError):
    """A line that cannot be exported.

    Attributes:
        line: its number.
    """

    def __init__(self, line: int, source: str, why: str) -> None:
        lines = source.splitlines()
        text = lines[line - 1].strip() if 0 < line <= len(lines) else ""
        super().__init__(f"line {line}, «{text:.80}», cannot be exported: {why}")
        self.line = line


def tokens(source: str, line: int = 1) -> list[Token]:
    """C, taken apart; the texts of all pieces together are the C again.

    Args:
        line: the number of its first line.
    """
    ends = [found.start() for found in re.finditer("\n", source)]
    return [
        Token(str(found.lastgroup), found[0], line + bisect(ends, found.start() - 1))
        for found in _TOKEN.finditer(source)
    ]


def inside(directive: Token) -> list[Token]:
    """What a directive is made of; its sign is the first that counts."""
    at = directive.text.index("#")
    head = [Token(SPACE, directive.text[:at], directive.line)] if at else []
    sign = Token(SIGN, "#", directive.line)
    return [*head, sign, *tokens(directive.text[at + 1 :], directive.line)]


def joined(parts: Sequence[Token]) -> str:
    """The C that pieces make."""
    return "".join(one.text for one in parts)


def following(parts: Sequence[Token], at: int) -> int:
    """The place of the next piece that counts, behind a place; the end where there is none."""
    at += 1
    while at < len(parts) and not parts[at].counts:
        at += 1
    return at


def is_sign(parts: Sequence[Token], at: int, sign: str) -> bool:
    return at < len(parts) and parts[at].kind == SIGN and parts[at].text == sign


def closing(parts: Sequence[Token], at: int) -> int | None:
    """Where the bracket that opens at a place closes; None if it does not."""
    depth = 0
    for place in range(at, len(parts)):
        if parts[place].kind == SIGN:
            depth += (parts[place].text in OPENING) - (parts[place].text in CLOSING)
            if depth == 0:
                return place
    return None


def arguments(parts: Sequence[Token], at: int, end: int) -> list[list[Token]]:
    """What stands between two brackets, taken apart at its commas."""
    found: list[list[Token]] = [[]]
    depth = 0
    for one in parts[at + 1 : end]:
        if one.kind == SIGN:
            depth += (one.text in OPENING) - (one.text in CLOSING)
            if one.text == "," and depth == 0:
                found.append([])
                continue
        found[-1].append(one)
    return found if any(one.counts for one in found[0]) or len(found) > 1 else []
