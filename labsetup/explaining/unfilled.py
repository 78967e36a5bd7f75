"""Structs of a function's own that are read, and that nothing in it fills.

clang says nothing of a member without a value: it takes for it what is shortest, and may leave most
of the program out.  So each use of such a variable is looked at here, in the C as it stands; one
that may fill it is enough for nothing to be said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .clang import Remark
from .listing import FUNCTION, Listing, block_end

DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)
DECLARED = re.compile(r"(?<=[;{}:])\s*((?:struct|union)\s+\w+)\s+(\w[\w\s,]*?)\s*;")
NO_READ = re.compile(r"(?:\bsizeof|typeof(?:__)?|offsetof)[\s(*]*$")
CHANGED = re.compile(r"(?:(?<!&)&|\+\+|--)[\s(]*$")  # or its address is taken
OTHERWISE = re.compile(r"(?:\.|->|\b(?:struct|union|goto)\s)\s*$")  # no variable of that name
MEMBER = re.compile(r"(?:\s*\.\s*(\w+))+")
WRITTEN = re.compile(
    r"\s*(?:\[[^;]*?\]\s*(?:\.\s*\w+\s*)*)*(?:(?:[-+*/%&|^]|<<|>>)?=(?!=)|\+\+|--)"
)
# Behind a member that may be an array: what only reads it, whatever it is.
READS = re.compile(r"\s*(?:->|[=!]=|[<>?%|^]|&&)")


def warnings(listing: Listing) -> Iterator[Remark]:
    """One for each variable, at the line that reads it first."""
    code = DIRECTIVE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), listing.code)
    macros = "\n".join(DIRECTIVE.findall(listing.code))
    names = "|".join(["swap", *re.findall(r"#\s*define\s+(\w+)\(", macros)])
    # One may write what it is given.
    macro = re.compile(rf"\b(?:[A-Z_]{{3,}}|{names})\s*\([^;{{}}]*$")
    known = "\n".join([listing.code, *listing.headers.values()])
    end = 0
    for head in FUNCTION.finditer(code):
        if head.start() < end:
            continue  # a macro's braces within a function
        end = block_end(code, head.end())
        body = code[head.end() - 1 : end]
        if re.search(r"\b_*asm_*\b", body):
            continue  # what it writes is not looked through
        for found in DECLARED.finditer(body):
            # Of a member of a type there is no use before that type's braces end.
            behind = body[found.end() : block_end(body, found.end())]
            kind = " ".join(found[1].split())
            for name in re.split(r"\s*,\s*", found[2]):
                at = None
                if name.isidentifier() and not re.search(rf"\b{name}\b", macros):
                    at = _read(behind, name, kind, known, macro)
                if at is not None:
                    start = head.end() - 1 + found.end() + at
                    words = _words(listing, name, kind, listing.of_code(start - at).line)
                    yield Remark("warning", listing.of_code(start), words)


def _read(code: str, name: str, kind: str, known: str, macro: re.Pattern[str]) -> int | None:
    """Where a member of the variable is read first; None if none is, or something may fill it."""
    is_known = re.search(rf"\b{kind}\s*\{{", known)
    hidden = re.search(r"\btypedef\b[^;]*\]\s*;", known)  # a type that is an array, and not seen
    first = None
    for use in re.finditer(rf"\b{name}\b", code):
        before = code[max(0, use.start() - 200) : use.start()]
        if OTHERWISE.search(before) or NO_READ.search(before):
            continue
        member = MEMBER.match(code, use.end())
        if member is None or CHANGED.search(before):
            return None
        if WRITTEN.match(code, member.end()) or macro.search(before):
            return None
        is_seen = is_known and re.search(rf"(?<![.>])\b{member[1]}\s*[;,:]", known)
        array = hidden or not is_seen or re.search(rf"\b{member[1]}\s*\[", known)
        if array and not READS.match(code, member.end()):
            return None
        first = use.start() if first is None else first
    return first


def _words(listing: Listing, name: str, kind: str, line: int) -> str:
    begin = f"{name} is read, and nothing has filled it"
    if kind == "struct packet":
        of = "" if "parse.h" in listing.headers else " of parse.h"
        return f"{begin}; parse(ctx, &{name}){of} does"
    return f"{begin}: set its fields, or write {kind} {name} = {{}}; in line {line}"
