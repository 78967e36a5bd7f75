"""The functions of a piece of C: those that the kernel may be given, and those that BCC inlines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from .tokens import (
    DIRECTIVE,
    OPENING,
    SIGN,
    TEXT,
    WORD,
    Token,
    closing,
    following,
    is_sign,
    joined,
    tokens,
)


class Head(NamedTuple):
    """The head of a function that has a body.

    Attributes:
        begin: where its first word stands among the pieces.
        bracket: where the bracket of its parameters does.
        body: where its body begins.
        name: what it is called.
    """

    begin: int
    bracket: int
    body: int
    name: str

    def words(self, parts: Sequence[Token]) -> list[str]:
        return [one.text for one in parts[self.begin : self.bracket] if one.kind == WORD]


def functions(parts: Sequence[Token]) -> Iterator[Head]:
    """The functions that C has, of which it has the bodies."""
    at, begin, bracket = 0, -1, -1
    while at < len(parts):
        one = parts[at]
        if one.kind == DIRECTIVE or (one.kind == SIGN and one.text == ";"):
            begin = bracket = -1
        elif one.counts and begin < 0:
            begin = at
        if one.kind == SIGN and one.text in OPENING:
            end = closing(parts, at)
            if end is None:
                return
            if one.text == "{":
                if bracket >= 0:
                    yield Head(begin, bracket, at, _named(parts, bracket))
                if not is_sign(parts, following(parts, end), ";") and bracket >= 0:
                    begin = bracket = -1
            elif one.text == "(" and _named(parts, at):
                bracket = at
            at = end
        elif one.kind == SIGN and one.text == "=":
            bracket = -1
        at += 1


def _named(parts: Sequence[Token], bracket: int) -> str:
    """The word in front of a bracket, if it may be a function's name."""
    at = bracket - 1
    while at >= 0 and not parts[at].counts:
        at -= 1
    is_name = at >= 0 and parts[at].kind == WORD and not parts[at].text.startswith("__attribute")
    return parts[at].text if is_name and parts[at].text != "SEC" else ""


def defined(parts: Iterable[Token]) -> set[str]:
    """The macros that C defines, and the functions of which it has the bodies."""
    whole = list(parts)
    found = {head.name for head in functions(whole)}
    for one in whole:
        if one.kind == DIRECTIVE and (name := re.match(r"\s*#\s*define\s+(\w+)", one.text)):
            found.add(name[1])
    return found


def entries(source: str) -> list[str]:
    """The functions that the kernel could be given: they take a ctx, and are not static.

    Where functions have sections, one without is called by others.
    """
    parts = tokens(source)
    return [head.name for head in _entries(parts)]


def _entries(parts: Sequence[Token]) -> list[Head]:
    found = [head for head in functions(parts) if _is_entry(parts, *head)]
    with_sections = [head for head in found if "SEC" in head.words(parts)]
    return with_sections or found


def placed(source: str) -> str:
    """C with the section of XDP on each function that the kernel could be given."""
    parts = tokens(source)
    written = [one.text for one in parts]
    for begin, bracket, _, _ in _entries(parts):
        head = joined(parts[begin:bracket])
        section = re.search(r'SEC\s*\(\s*"([^"]*)"\s*\)', head)
        if not section:
            written[begin] = f'SEC("xdp")\n{written[begin]}'
        elif not re.fullmatch(r"xdp([./].*)?", section[1]):  # a name that libbpf does not know
            text = next(i for i in range(begin, bracket) if parts[i].kind == TEXT)
            written[text] = '"xdp"'
    return "".join(written)


def _is_entry(parts: Sequence[Token], begin: int, bracket: int, body: int, name: str) -> bool:
    words = [one.text for one in parts[begin:bracket] if one.kind == WORD]
    end = closing(parts, bracket) or body
    takes = [one.text for one in parts[bracket:end] if one.kind == WORD]
    return "xdp_md" in takes and not {"static", "__always_inline"}.intersection(words)


def inlined(parts: list[Token]) -> list[Token]:
    """As BCC does: every static function becomes part of those that call it."""
    made = list(parts)
    for head in functions(parts):
        words = head.words(parts)
        if "static" not in words or {"__always_inline", "noinline", "__noinline"} & {*words}:
            continue
        if "always_inline" in joined(parts[head.begin : head.bracket]):
            continue
        inline = {"inline", "__inline", "__inline__"}
        for at in range(head.begin, head.bracket):
            one = parts[at]
            if one.kind == WORD and one.text in inline:
                made[at] = one._replace(text="__always_inline")
            elif one.kind == WORD and one.text == "static" and not inline & {*words}:
                made[at] = one._replace(text="static __always_inline")
    return made
