"""The headers of bpf/ as sections of one file: what of them is used and not the system's.

bpf/xdp.h vanishes as a whole: all that it defines has an official place, which is included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from ..explaining import SOURCES
from .declared import KNOWN, Wrong, declared
from .tokens import (
    DIRECTIVE,
    REMARK,
    SPACE,
    WORD,
    Token,
    arguments,
    closing,
    following,
    inside,
    is_sign,
    joined,
    tokens,
)

BASE = "xdp.h"
OPENED = re.compile(r"\s*#\s*(if|ifdef|ifndef)\b")
CLOSED = re.compile(r"\s*#\s*endif\b")
INCLUDE = re.compile(r"""[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)""")

# Types that the kernel's own C and BCC's have by short names, and <linux/types.h> by these.
SHORT = {
    **{f"{sign}{bits}": f"__{sign}{bits}" for sign in "us" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}_t": f"__u{bits}" for bits in (8, 16, 32, 64)},
    **{f"int{bits}_t": f"__s{bits}" for bits in (8, 16, 32, 64)},
}
# Where the system has what bpf/ defines for itself, because BCC takes seconds over those headers.
SYSTEM = {
    "ethhdr": "linux/if_ether.h",
    "iphdr": "linux/ip.h",
    "ipv6hdr": "linux/ipv6.h",
    "in6_addr": "linux/in6.h",
    "udphdr": "linux/udp.h",
    "tcphdr": "linux/tcp.h",
    **{name: "stdbool.h" for name in ("bool", "true", "false")},
    **{name: "stddef.h" for name in ("size_t", "ptrdiff_t")},
    **{name: "linux/version.h" for name in ("LINUX_VERSION_CODE",)},
}
_ELSEWHERE = {"IPPROTO_ICMPV6", "IPPROTO_HOPOPTS", "IPPROTO_ROUTING", "IPPROTO_FRAGMENT"}
_ELSEWHERE |= {"IPPROTO_DSTOPTS", "IPPROTO_NONE", "IPPROTO_MH"}
PATTERNS = {r"ETH_(?:P_\w+|ALEN|HLEN|\w+_LEN)": "linux/if_ether.h", r"IPPROTO_\w+": "linux/in.h"}
# What these headers would define a second time, where the reader's C has it already.
PROVIDES = {
    "linux/in.h": r"IPPROTO_\w+|in_addr|sockaddr_in",
    "linux/in6.h": r"IPPROTO_\w+|in6_addr|sockaddr_in6",
    "linux/ipv6.h": r"in6_addr|ipv6hdr|ipv6_opt_hdr",
}
# What the kernel keeps to itself, and BCC's C can use all the same.
HIDDEN = {
    "vlan_hdr": (
        "/* As in include/linux/if_vlan.h, which the kernel keeps to itself. */\n"
        "struct vlan_hdr {\n\t__be16 h_vlan_TCI, h_vlan_encapsulated_proto;\n};"
    )
}
# What a remark says of where the C stands in bpf/, and what is so in one file.
MENDED = {
    "; IPv4 is in xdp.h": "",
    "what lookup() gave": "what bpf_map_lookup_elem() gave",
    "where lookup() finds": "where bpf_map_lookup_elem() finds",
    "see hashing.py": "see labsetup/balancing/hashing.py",
    "has the same: hashing.py": "has the same: balancing/hashing.py",
}
WHY = {
    "icmphdr": (
        "/* As in <linux/icmp.h>, which brings <sys/socket.h>, and that wants 32-bit x86's\n"
        " * <gnu/stubs-32.h> for -target bpf.\n */\n"
    )
}


def place_of(name: str) -> str:
    """The system's header that defines a name; empty for a name that none of these does."""
    if name in SYSTEM:
        return SYSTEM[name]
    if name in _ELSEWHERE:
        return "linux/in6.h"
    return next((header for sign, header in PATTERNS.items() if re.fullmatch(sign, name)), "")


@dataclass
class Item:
    """A definition at the top of a file, with the remark above it.

    Attributes:
        names: what it defines.
        uses: the words in it.
        calls: those of them with a bracket behind.
        is_code: whether it is a function or a macro with arguments: used only where it is called.
    """

    text: str
    names: set[str] = field(default_factory=set)
    uses: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    is_code: bool = False

    def wanted(self, uses: set[str], calls: set[str]) -> bool:
        return bool(self.names & (calls if self.is_code else uses))


@dataclass
class Header:
    """A header of bpf/: what it says of itself, and its items in order."""

    name: str
    about: str
    items: list[Item]


def included(parts: Iterable[Token]) -> Iterator[tuple[Token, str]]:
    """The directives that include a file, and which."""
    for one in parts:
        if one.kind == DIRECTIVE and (found := INCLUDE.match(one.text)):
            yield one, found[1] or found[2]


def ours(name: str) -> str:
    """The name of a header of bpf/; empty for another one."""
    path = Path(name)
    known = path.name == name or path.parent == SOURCES
    return path.name if known and (SOURCES / path.name).is_file() else ""


def needed(names: Iterable[str]) -> list[Header]:
    """Headers of bpf/, and those that they include, each behind what it includes."""
    found: dict[str, Header] = {}

    def add(name: str) -> None:
        if name in found or name == BASE:
            return
        source = (SOURCES / name).read_text()
        for _, other in included(tokens(source)):
            if ours(other):
                add(ours(other))
        for here, there in MENDED.items():
            source = source.replace(here, there)
        found[name] = _header(name, source)

    for name in names:
        add(name)
    return list(found.values())


def _header(name: str, source: str) -> Header:
    parts = _as_for_bcc(tokens(source))
    items = list(items_of(parts))
    about = next((one.text for one in parts if one.kind == REMARK and "SPDX" not in one.text), "")
    for one in items:
        one.text = one.text.replace(about, "", 1).strip("\n")
    guard = re.compile(r"\w*_H")
    kept = [one for one in items if one.names and not any(map(guard.fullmatch, one.names))]
    return Header(name, about, kept)


def _as_for_bcc(parts: list[Token]) -> list[Token]:
    """What BCC sees of a header: the system's definitions, not bpf/'s for clang alone."""
    made, depth, hidden, begun = list[Token](), 0, False, 0
    for one in parts:
        if one.kind == DIRECTIVE:
            if OPENED.match(one.text):
                depth += 1
                if re.match(r"\s*#\s*ifdef\s+BCC_SEC\b", one.text):
                    begun = depth
                    continue
            elif CLOSED.match(one.text):
                depth -= 1
                if begun and depth < begun:
                    begun, hidden = 0, False
                    continue
            elif begun == depth and re.match(r"\s*#\s*else\b", one.text):
                hidden = True
                continue
        if not hidden:
            made.append(one)
    return made


def items_of(parts: list[Token]) -> Iterator[Item]:
    """The definitions at the top of a file; remarks go with what is below them."""
    at, begin = 0, 0
    while at < len(parts):
        one = parts[at]
        end = at
        if one.kind == DIRECTIVE:
            yield _item(parts[begin : at + 1])
            begin = at + 1
        elif one.counts:
            end = _end(parts, at)
            text_end = end + 1
            while text_end < len(parts) and not parts[text_end].counts:  # a remark on its last line
                if "\n" in parts[text_end].text:
                    break
                text_end += 1
            yield _item(parts[begin:text_end])
            begin, end = text_end, text_end - 1
        at = end + 1


def _end(parts: list[Token], at: int) -> int:
    """The last piece of the definition that begins at a place."""
    bracketed = False
    while at < len(parts):
        one = parts[at]
        if one.text == ";" or one.kind == DIRECTIVE:
            return at
        if one.text in ("(", "{", "["):
            shut = closing(parts, at)
            if shut is None:
                return len(parts) - 1
            if one.text == "{" and bracketed:
                return shut
            bracketed = bracketed or one.text == "("
            if one.text == "{" and not bracketed:
                bracketed = False
            at = shut
        elif one.text == "=":
            bracketed = False
        at += 1
    return len(parts) - 1


def _item(parts: list[Token]) -> Item:
    item = Item(joined(parts))
    counted = [one for one in parts if one.counts]
    if counted and counted[0].kind == DIRECTIVE:
        words = [one for one in inside(counted[0]) if one.counts]
        if len(words) > 2 and words[1].text == "define":
            item.names = {words[2].text}
            item.is_code = bool(re.match(rf"\s*#\s*define\s+{words[2].text}\(", counted[0].text))
        item.uses, item.calls = used(parts)
        item.uses -= item.names
        return item
    item.uses, item.calls = used(parts)
    head = next((i for i, one in enumerate(counted) if one.text in ("(", "{", ";", "=", "[")), 0)
    if head and counted[head].text == "(" and counted[head - 1].text in KNOWN:
        item.names = _map(counted, head)
    elif head == 1 and counted[head].text == "(":  # a macro is called, which may define anything
        item.names = set()
    elif head and counted[head].text == "(":
        item.names, item.is_code = {counted[head - 1].text}, True
    else:
        item.names = {one.text for one in counted[:head] if one.kind == WORD}
        item.names -= {"struct", "union", "enum", "typedef", "const", "static"}
        item.names |= _constants(counted)
    return item


def _map(parts: list[Token], bracket: int) -> set[str]:
    """The name of the map that one of BCC's macros declares."""
    end = closing(parts, bracket)
    given = [joined(one) for one in arguments(parts, bracket, end)] if end else []
    try:
        return {declared(parts[bracket - 1].text, given).name}
    except Wrong:  # which is told when it is translated
        return set()


def _constants(parts: list[Token]) -> set[str]:
    """The names in the lists of enums."""
    found = set[str]()
    for at, one in enumerate(parts):
        if one.text != "enum":
            continue
        brace = at + 1 if is_sign(parts, at + 1, "{") else at + 2
        if is_sign(parts, brace, "{") and (end := closing(parts, brace)):
            inner = parts[brace:end]
            found |= {b.text for a, b in pairwise(inner) if a.text in "{,"}
    return found


def used(parts: list[Token]) -> tuple[set[str], set[str]]:
    """The words of C that are no fields behind . or ->, and those with a bracket behind them."""
    flat = list[Token]()
    for one in parts:
        flat += inside(one) if one.kind == DIRECTIVE else [one]
    flat = [one for one in flat if one.kind not in (SPACE, REMARK)]
    uses, calls = set[str](), set[str]()
    for at, one in enumerate(flat):
        if one.kind != WORD or (at and flat[at - 1].text in (".", "->") and not _is_map(flat, at)):
            continue
        uses.add(one.text)
        if is_sign(flat, following(flat, at), "("):
            calls.add(one.text)
    return uses, calls


def _is_map(flat: list[Token], at: int) -> bool:
    """No field is a map, so none behind a point is; a number's or a list's point is no such one."""
    return flat[at - 1].text == "." and at > 1 and flat[at - 2].text in ("{", ",")
