"""A program and the headers of bpf/ that it includes, as one file in libbpf's C."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..compiling.clang import is_libbpfs
from ..errors import LabError
from .declared import Declared
from .functions import defined, entries, placed
from .headers import (
    CLOSED,
    HIDDEN,
    OPENED,
    PROVIDES,
    SHORT,
    WHY,
    Header,
    included,
    items_of,
    needed,
    ours,
    place_of,
    used,
)
from .tokens import DIRECTIVE, REMARK, Token, Untranslatable, joined, tokens
from .translate import CALLED, LICENCE, Translation

SPDX = "// SPDX-License-Identifier: GPL-2.0-or-later"
FIRST = ("linux/bpf.h",)
LAST = ("bpf/bpf_helpers.h",)
# What libbpf's C may include in quotation marks; the Makefile makes the first.
LIBBPFS = {"vmlinux.h", "bpf_helpers.h", "bpf_endian.h"}
ENDIAN = "bpf/bpf_endian.h"
ENDIANS = {one for pair in CALLED.items() if pair[1].startswith("bpf_") for one in pair}


@dataclass(frozen=True)
class Flat:
    """A program in one file.

    Attributes:
        text: its C.
        about: what it says of itself above everything else.
        entries: the functions that the kernel may be given.
        maps: those that it declares, in order; none of a source that was libbpf's C already.
        source: the C that it was made of.
    """

    text: str
    about: str
    entries: tuple[str, ...]
    maps: tuple[Declared, ...]
    source: str


def flattened(source: str, name: str) -> Flat:
    """A program as one file that clang builds alone.

    Args:
        source: C of BCC's or of libbpf's.
        name: what it is called, where its C is told of.

    Raises:
        Untranslatable: naming the line that has no counterpart.
        LabError: if there is no function for XDP in it.
    """
    about, _ = _head(tokens(source))
    lab = _labs(source)
    is_theirs = is_libbpfs(source)
    own = {name for item in items_of(tokens(source)) for name in item.names}
    made = Translation(own | defined(tokens(source)), inlines=not is_theirs)
    text = source if is_theirs and not lab else made.translated(source)
    found = entries(text)
    if not found:
        function = re.sub(r"\W", "_", name)
        raise LabError(
            f"{name} has no function that XDP can call; write one that begins "
            f"int {function}(struct xdp_md *ctx)"
        )
    if is_theirs and not lab:
        return Flat(_licensed(source), about, tuple(found), (), source)
    _, body = _head(tokens(text))
    sections, uses = _sections(needed(lab), source, own, made)
    uses |= used(tokens(text))[0]
    system, body = _system(body, uses, own)
    parts = [_spdx(source), about, system]
    if lab or not is_theirs:
        hidden = [text for name, text in HIDDEN.items() if name in uses - own]
        parts += [_short(uses, own), *hidden, made.preamble()]
    parts += [*sections, "/* The program itself. */" if sections else ""]
    parts.append(body if is_theirs else placed(body))
    whole = "\n\n".join(one.strip("\n") for one in parts if one.strip())
    whole = re.sub(r'(SEC\("\.maps"\);[^\n]*\n)(?=struct \{)', r"\1\n", whole)
    whole = _licensed(re.sub(r"\n{3,}", "\n\n", whole) + "\n", _licence(source))
    return Flat(whole, about, tuple(found), tuple(made.maps.values()), source)


def _licensed(text: str, licence: str = "GPL") -> str:
    """C with the lines that name its licence, to people and to the kernel, if it lacks them."""
    if "SPDX-License-Identifier" not in text:
        text = f"{SPDX}\n{text}"
    if not re.search(r'SEC\s*\(\s*"license"\s*\)', text):
        text = f'{text.rstrip()}\n\nchar LICENSE[] SEC("license") = "{licence}";\n'
    return text


def _labs(source: str) -> list[str]:
    """The headers of bpf/ that a program includes."""
    found = list[str]()
    for one, name in included(tokens(source)):
        if ours(name):
            found.append(ours(name))
        elif name.startswith("/") or ('"' in one.text and name not in LIBBPFS):
            why = "it is a file of yours; put what it has in this line's place: one file is made"
            raise Untranslatable(one.line, source, why)
    return found


def _head(parts: Sequence[Token]) -> tuple[str, str]:
    """What a program says of itself in the remark above it, and its C without that."""
    about, at, has_spdx = "", 0, False
    while at < len(parts) and not parts[at].counts:
        one, behind = parts[at], parts[at + 1 : at + 3]
        if one.kind == REMARK and "SPDX" in one.text:
            has_spdx = True
        elif one.kind == REMARK:
            ends = not behind or behind[0].text.count("\n") > 1 or behind[-1].kind == DIRECTIVE
            if about or not (has_spdx or ends):
                break  # it is of what comes next, not of the whole
            about = one.text
        at += 1
    return about, joined(parts[at:])


def _spdx(source: str) -> str:
    found = re.match(r"\s*(?://|/\*)\s*SPDX-License-Identifier:\s*([^*\n]+?)\s*(?:\*/)?\n", source)
    return f"// SPDX-License-Identifier: {found[1]}" if found else SPDX


def _licence(source: str) -> str:
    """What BCC would tell the kernel."""
    for one in tokens(source):
        if one.kind == DIRECTIVE and LICENCE.match(one.text):
            word = LICENCE.sub("", one.text).partition("/*")[0].strip().strip('"')
            return word if re.fullmatch(r"[\w ./-]+", word) else "GPL"
    return "GPL"


def _sections(
    headers: list[Header], source: str, own: set[str], made: Translation
) -> tuple[list[str], set[str]]:
    """What of the headers is used, a section each; and all names that are used in the end."""
    uses, calls = used(tokens(source))
    every = [item for header in headers for item in header.items]
    kept = list[int]()
    while True:
        more = [i for i, one in enumerate(every) if i not in kept and one.wanted(uses, calls)]
        if not more:
            break
        for place in more:
            kept.append(place)
            if not _is_the_systems(every[place].names, own):
                uses |= every[place].uses
                calls |= every[place].calls
    sections = list[str]()
    wanted = {id(every[place]) for place in kept}
    for header in headers:
        items = [
            one.text
            for one in header.items
            if id(one) in wanted and not one.names & own and not _is_the_systems(one.names, own)
        ]
        if items:
            text = made.translated("\n\n".join(map(_explained, items)))
            sections.append(f"{_from(header)}\n\n{text}")
    return sections, uses


def _is_the_systems(names: set[str], own: set[str]) -> bool:
    """Whether a header of the system's has all this, and can be had beside the reader's C."""
    return all(place_of(one) and not _clashes(place_of(one), own) for one in names)


def _clashes(header: str, own: set[str]) -> bool:
    sign = PROVIDES.get(header)
    return bool(sign) and any(re.fullmatch(str(sign), one) for one in own)


def _explained(text: str) -> str:
    why = next((WHY[name] for name in WHY if re.search(rf"\bstruct {name} {{", text)), "")
    return f"{why}{text}"


def _from(header: Header) -> str:
    """The remark above a section: where it comes from, and what the header says of itself."""
    words = header.about.removeprefix("/*").removesuffix("*/").strip()
    lines = [re.sub(r"^[ \t]*\* ?", "", one) for one in words.splitlines()]
    body = "\n".join(f" * {one}".rstrip() for one in lines)
    return f"/*\n * From bpf/{header.name} of XDP Lab, GPL-2.0-or-later.\n *\n{body}\n */"


def _short(uses: set[str], own: set[str]) -> str:
    """The short names of types that are used."""
    found = [one for one in SHORT if one in uses and one not in own]
    if not found:
        return ""
    lines = [f"typedef {SHORT[one]} {one};" for one in found]
    return "\n".join(["/* As the kernel calls them within itself. */", *lines])


def _system(body: str, uses: set[str], own: set[str]) -> tuple[str, str]:
    """The system's headers that are included, and a program without the lines that did so."""
    parts, depth = tokens(body), 0
    theirs, kept = list[str](), list[Token]()
    files = {id(one): name for one, name in included(parts)}
    for one in parts:
        if one.kind == DIRECTIVE:
            depth += bool(OPENED.match(one.text)) - bool(CLOSED.match(one.text))
            if LICENCE.match(one.text):
                continue
            if id(one) in files and (ours(files[id(one)]) or depth == 0):
                if not ours(files[id(one)]):
                    theirs.append(files[id(one)])
                continue
        kept.append(one)
    found = {place_of(one) for one in uses - own} - {""}
    found = {one for one in found if not _clashes(one, own)}
    last = [*LAST, *([ENDIAN] if ENDIAN in theirs or ENDIANS & uses else [])]
    middle = sorted({*found, *filter(None, theirs)} - {*FIRST, *LAST, ENDIAN})
    std = [one for one in middle if "/" not in one]
    order = [*std, *FIRST, *(one for one in middle if "/" in one), *last]
    return "\n".join(f"#include <{one}>" for one in order), joined(kept)
