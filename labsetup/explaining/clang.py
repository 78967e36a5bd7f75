"""What clang says of the reader's C, in plainer words: remarks.toml, and how a remark is read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from . import SOURCES
from .listing import Listing, Place
from .rules import Plainer
from .rules import remarks as rules
from .verifier import by_its_words

# BCC's own choice leaves out the warnings of which a beginner's verdicts are made.
WARNINGS = [
    "-Wunused-value",
    "-Wuninitialized",
    "-Wsometimes-uninitialized",
    "-Wconditional-uninitialized",
]
# What older clangs only warn of, so that each says the same of the same C.
AS_OLDER = ["-Wno-error=int-conversion", "-Wno-error=incompatible-pointer-types"]

REMARK = re.compile(
    r"^(\S+?):(\d+):\d+: (?:fatal )?(error|warning): (.+?)(?: \[-W[\w-]+\])?$", re.MULTILINE
)
BUILT_IN = re.compile(r"library function 'mem(?:cpy|move|set)'")  # clang writes these out itself

# What LLVM says when clang has taken the C: BCC's ends by it, and libbpf's has it as an error.
LLVMS = re.compile(r"built-in function|too many args|[Ss]tack argument|[Uu]nsupported atomic")
# Of an optimised line it names the function alone, and the line itself in a note.
LOST = re.compile(r"/virtual/main\.c:\d+:\d+(: error: .*)\n\S+ note: could not determine .* (\S+)")

# A warning until clang 15, an error since then.
UNDECLARED = re.compile(
    r"(?:implicit(?:ly)? declar\w+ (?:of|library)|call to undeclared(?: library)?) function '(\w+)'"
)


@dataclass(frozen=True)
class Remark:
    """One of clang's complaints.

    Attributes:
        kind: ``"error"`` or ``"warning"``.
        place: where; without a text where that is not the reader's C.
        words: clang's own.
        language: whose C it is of, BCC's or libbpf's.
    """

    kind: str
    place: Place
    words: str
    language: str = "BCC"

    @property
    def rule(self) -> str:
        """The entry of remarks.toml that has plainer words for it; empty where none has."""
        for rule in rules().plain.values():
            if (
                rule.is_of(self.language)
                and rule.pattern.search(self.words)
                and (rule.line is None or rule.line.search(self.place.text))
            ):
                return rule.name
        return ""

    def __str__(self) -> str:
        where = str(self.place) if self.place.text else f"line {self.place.line}"
        if self.place.file and not self.place.text:
            where = f"{self.place.file}, {where}"
        words = self.words
        if name := self.rule:
            rule = rules().plain[name]
            words = rule.pattern.sub(lambda found: _plain(rule, found), words)
        elif LLVMS.search(words):
            words = str(by_its_words(words)) or words
        return f"{where}: {words}"


def _plain(rule: Plainer, found: re.Match[str]) -> str:
    groups = found.groupdict("")
    return rule.plain.format(**groups, **{key.upper(): groups[key].upper() for key in groups})


def remarks(listing: Listing) -> list[Remark]:
    """Clang's errors and warnings, at the reader's own lines, each once."""
    found: dict[Remark, None] = {}
    for words, was_rewritten in ((listing.before, False), (listing.after, True)):
        for file, number, kind, complaint in REMARK.findall(LOST.sub(r"\2\1", words)):
            line = listing.original(int(number)) if was_rewritten else int(number)
            if file.startswith("/virtual/main"):
                place = Place(line, listing.text(line))
            else:
                place = Place(int(number), "", file)
            if "'_license'" in complaint:  # BCC's own stands in its footer.h
                place = listing.only(r"\b_license\b") or place
            if "function 'abort'" in complaint:  # libbpf's header has that line
                place = listing.only(r"\bbpf_tail_call_static\b") or place
            if kind == "error" or not BUILT_IN.search(complaint):
                found.setdefault(Remark(kind, place, complaint, listing.language))
    return list(found)


def is_telling(words: str) -> bool:
    """Whether a warning is of what changes what a program does; others may stand in a right one."""
    return any(rule.pattern.search(words) for rule in rules().telling.values())


def undeclared(found: list[Remark]) -> str:
    """The first call of a function that nothing declares, and what mends it; empty if none."""
    for one in found:
        if (call := UNDECLARED.search(one.words)) and not one.rule:
            name = call[1]
            _, mend = mend_of(name, one.language)
            return f" at {one.place}: it calls {name}(), which nothing declares; {mend}"
    return ""


def mend_of(name: str, language: str = "BCC") -> tuple[str, str]:
    """What gives a program the function of this name, or what to do without it.

    Args:
        name: of the function.
        language: of the program, BCC's or libbpf's C.

    Returns:
        The entry of remarks.toml that knows, and its words.
    """
    makes = re.compile(rf"^static __always_inline .*\b{name}\(", re.MULTILINE)
    has = [path.name for path in SOURCES.glob("*.h") if makes.search(path.read_text())]
    for rule in rules().undeclared.values():
        if rule.language not in ("", language):
            continue
        if rule.pattern.fullmatch(name) if rule.pattern else has:
            return rule.name, rule.mend.format(name=name, header="".join(has[:1]))
    return "", ""


def included(listing: Listing, remark: Remark) -> str:
    """For a remark on a header, by which line of the reader's that header came in; else empty."""
    lines = re.findall(r"^In file included from /virtual/main\.c:(\d+):", listing.before, re.M)
    if not (remark.place.file and lines):
        return ""
    line = int(lines[0])
    if "vmlinux.h" in listing.source:
        return (
            f"; line {line}, «{listing.text(line)}», brings it in, and vmlinux.h has such types "
            "already: leave that line out, and write what it had by #define yourself"
        )
    if listing.language == "libbpf":
        return (
            f"; line {line}, «{listing.text(line)}», brings it in: leave that line out; <linux/…> "
            "has what packets are made of, and <bpf/…> what programs call"
        )
    return (
        f"; line {line}, «{listing.text(line)}», brings it in, and it does not go with the lab's "
        "headers: leave that line out; headers.h has UDP, ICMP, IPv6 and VLAN tags, and "
        "<uapi/linux/tcp.h> TCP"
    )


def gave_up(listing: Listing, found: list[Remark]) -> str:
    """Where and why LLVM ended the process, by what it said last."""
    here = re.search(r"(?:error: )?/virtual/main\.c:(\d+):\d+: in function (.*)", listing.after)
    other = re.search(r"LLVM ERROR: (.*)|error: (.*)|Error at line (\d+): (.*)", listing.after)
    line, reason = 0, "it gave no reason"
    if here:
        line, reason = listing.original(int(here[1])), here[2].partition("): ")[2]
    elif other:
        line = listing.original(int(other[3] or 0)) if other[3] else 0
        reason = other[4] or other[1] or other[2]
    place = Place(line, listing.text(line)) if line else listing.only(r"\w\[\d{3,}\]")
    where = f" at {place}" if place else ""
    if any(one.kind == "warning" and is_telling(one.words) for one in found):
        return f"{where}: clang gave it up; begin with what it warns of"
    return f"{where}: {str(by_its_words(reason)) or f'LLVM gave up: {reason}'}"
