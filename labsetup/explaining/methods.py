"""What BCC's map functions do not do for every kind of map, and never say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .clang import Remark
from .listing import Listing

# enum bpf_map_type, linux/bpf.h
KINDS = {
    2: "an array",
    5: "a per-CPU hash",
    6: "a per-CPU array",
    9: "an LRU hash",
    10: "a per-CPU LRU hash",
    11: "an LPM trie",
}
ARRAYS, PER_CPU = {2, 6}, {5, 6, 10}  # of a plain array's insert() BCC warns itself
# BCC adds an entry for increment() to a plain hash alone (its b_frontend_action.cc).
NOT_MADE = {5, 9, 10, 11}
MAKES = r"(?:update|insert|lookup_or_(?:try_)?init)\b"
CALL = re.compile(
    r"\b(\w+)\s*\.\s*(increment|atomic_increment|delete|insert|lookup_or_init)\s*\(\s*(\w+)?"
)


def warnings(listing: Listing, maps: Mapping[str, tuple[int, str]]) -> Iterator[Remark]:
    """One for each call that does nothing, or more than it seems.

    Args:
        listing: the program's.
        maps: by name, the kind as linux/bpf.h numbers it, and the C type of a value.
    """
    for call in CALL.finditer(listing.code):
        name, function, key = call.groups()
        kind, leaf = maps.get(name, (0, ""))
        if kind in NOT_MADE and re.search(rf"\b{name}\s*\.\s*{MAKES}", listing.code):
            continue  # then there may be one to count in
        if words := _words(kind, leaf, name, function, key or "key"):
            yield Remark("warning", listing.of_code(call.start()), words)


LOOKUP = re.compile(
    r"\b(\w+)\s*=\s*(?:\([^()]*\)\s*)?(?:bpf_map_lookup_elem|\w+\s*\.\s*lookup)\s*\("
)


def unasked(listing: Listing) -> Iterator[Remark]:
    """One for each pointer that a lookup gave, and that is followed without being asked for NULL.

    From Linux 6.14 on the verifier knows that an array has a constant key's element, and takes it.
    """
    code = listing.code
    for name in dict.fromkeys(found[1] for found in LOOKUP.finditer(code)):
        asked = (
            rf"!\s*{name}\b|\b(?:if|while)\s*\(\s*{name}\b|\b{name}\s*(?:\?|&&|\|\||[!=]=)"
            rf"|(?:&&|\|\||[!=]=)\s*{name}\b|\w\s*\((?:[^();]*,)?\s*{name}\s*[,)]"
        )
        used = re.search(
            rf"(?<![\w*])\*\s*{name}\b(?!\s*=\s*bpf_|\s*=\s*\w+\s*\.\s*lookup)"
            rf"\s*(?:[-+|&^]?=|\+\+|;)|\b{name}\s*->",
            code,
        )
        if used and not re.search(asked, code):
            words = (
                f"{name} may be NULL, and nothing asks: this kernel knows better, as the key is a "
                f"constant and the map an array; older ones refuse the program: put if ({name})"
            )
            yield Remark("warning", listing.of_code(used.start()), words)


def _words(kind: int, leaf: str, name: str, function: str, key: str) -> str:
    """What to say of it; empty where it does what it says."""
    if function.endswith("increment") and kind in NOT_MADE:
        add = "*n += 1" if kind in PER_CPU else "__sync_fetch_and_add(n, 1)"
        of = {"unsigned long long": "u64", "unsigned int": "u32"}.get(leaf, leaf)
        return (
            f"{function}() makes no entry in {KINDS[kind]}, and counts nothing until one is there; "
            f"write {of} zero = 0, *n = {name}.lookup_or_try_init(&{key}, &zero); if (n) {add};"
        )
    if function == "lookup_or_init" and kind:
        return (
            "where the map has no such entry and no room for it, lookup_or_init() ends the program "
            "with XDP_ABORTED; write lookup_or_try_init() and ask if (pointer) behind it"
        )
    if (function == "delete" and kind in ARRAYS) or (function == "insert" and kind == 6):
        write = "update(&key, &zero)" if function == "delete" else "update(&key, &value)"
        return (
            f"{function}() does nothing in {KINDS[kind]}, which has all its elements at all times; "
            f"write {name}.{write}"
        )
    return ""
