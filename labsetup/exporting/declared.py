"""Maps as BCC's macros declare them, and as libbpf's C does.

Source: BCC 0.26, src/cc/export/helpers.h, whose macros and their defaults these are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

HASH, PERF, RING = "HASH", "PERF_EVENT_ARRAY", "RINGBUF"
PAGE = 4096  # of BPF_RINGBUF_OUTPUT, whose size is in pages

# BPF_TABLE's first argument, and enum bpf_map_type without its beginning.
TABLES = {
    "hash": HASH,
    "array": "ARRAY",
    "percpu_hash": "PERCPU_HASH",
    "percpu_array": "PERCPU_ARRAY",
    "lru_hash": "LRU_HASH",
    "lru_percpu_hash": "LRU_PERCPU_HASH",
    "lpm_trie": "LPM_TRIE",
    "prog": "PROG_ARRAY",
    "devmap": "DEVMAP",
    "cpumap": "CPUMAP",
}

_ELSEWHERE = "no XDP program reads or writes such a map; take it out"
_NAMED = "it is known to other programs by BCC alone; declare it with BPF_TABLE"
REFUSED = {
    "BPF_TABLE_PINNED": "libbpf's C names no path; use BPF_TABLE, and pin it by bpftool map pin",
    "BPF_TABLE_PUBLIC": _NAMED,
    "BPF_TABLE_SHARED": _NAMED,
    "BPF_QUEUESTACK_PINNED": "libbpf's C names no path; use BPF_QUEUE, and bpftool map pin",
    "BPF_QUEUESTACK_PUBLIC": "it is known to other programs by BCC alone; use BPF_QUEUE",
    "BPF_QUEUESTACK_SHARED": "it is known to other programs by BCC alone; use BPF_QUEUE",
    "BPF_HIST": "BCC's name for it is BPF_HISTOGRAM",
    **dict.fromkeys(
        [
            *("BPF_STACK_TRACE", "BPF_STACK_TRACE_BUILDID", "BPF_PERF_ARRAY", "BPF_CGROUP_ARRAY"),
            *("BPF_SK_STORAGE", "BPF_INODE_STORAGE", "BPF_TASK_STORAGE", "BPF_SOCKMAP"),
            *("BPF_SOCKHASH", "BPF_CGROUP_STORAGE", "BPF_PERCPU_CGROUP_STORAGE"),
        ],
        _ELSEWHERE,
    ),
}


class Wrong(ValueError):
    """A declaration that BCC would not take either, or that has no counterpart; says why."""


class Declared(NamedTuple):
    """A map; what it has not is empty.

    Attributes:
        kind: of enum bpf_map_type, without BPF_MAP_TYPE_.
        entries: how many at most, as C.
        inner: the name of the map that those in this one are like.
    """

    name: str
    kind: str
    key: str = ""
    value: str = ""
    entries: str = ""
    flags: str = ""
    inner: str = ""

    def lines(self) -> list[str]:
        """The declaration of libbpf's C, line by line."""
        found = [f"__uint(type, BPF_MAP_TYPE_{self.kind});"]
        if self.entries:
            found.append(f"__uint(max_entries, {self.entries});")
        found += [
            f"__type({part}, {kind});"
            for part, kind in (("key", self.key), ("value", self.value))
            if kind
        ]
        if self.inner:
            found.append(f"__array(values, typeof({self.inner})); /* those in it are like it */")
        if self.flags not in ("", "0"):
            found.append(f"__uint(map_flags, {self.flags});")
        return ["struct {", *(f"\t{one}" for one in found), f'}} {self.name} SEC(".maps");']


def declared(macro: str, given: list[str]) -> Declared:
    """The map that one of BCC's macros declares.

    Raises:
        Wrong: saying why there is none.
    """
    defaults, least, make = _MACROS[macro]
    if not least <= len(given) <= len(defaults) or not all(given):
        most = len(defaults)
        number = str(least) if least == most else f"{least} to {most}"
        raise Wrong(f"{macro} takes {number} arguments, not {len(given)}")
    return make([*given, *defaults[len(given) :]])


def _table(words: list[str]) -> Declared:
    kind, key, value, name, entries, flags = words
    plain = _plain(kind)
    if plain == "histogram":  # of whole numbers it is an array, of anything else a hash
        plain = "array" if key == "int" else "hash"
    outer, _, inner = plain.partition("$")
    if inner and outer in ("array_of_maps", "hash_of_maps"):
        return Declared(name, outer.upper(), key, "", entries, flags, inner)
    if ":" in plain:
        raise Wrong("libbpf's C names no path; take it out, and pin the map by bpftool map pin")
    if plain not in TABLES:
        raise Wrong(f"an XDP program has no use for a map of the kind {kind:.40}")
    return Declared(name, TABLES[plain], key, value, entries, flags)


def _queue(words: list[str]) -> Declared:
    kind, name, value, entries, flags = words
    if _plain(kind) not in ("queue", "stack"):
        raise Wrong(f"{kind:.40} is neither a queue nor a stack")
    return Declared(name, _plain(kind).upper(), "", value, entries, flags)


def _hash_of_maps(words: list[str]) -> Declared:
    name, key, inner, entries = words
    if not inner:  # two are the name and the inner one
        key, inner = "int", key
    return Declared(name, "HASH_OF_MAPS", key, "", entries, "", _plain(inner))


def _places(kind: str, value: str) -> Callable[[list[str]], Declared]:
    return lambda words: Declared(words[0], kind, "u32", value, words[1])


def _of_kind(kind: str, flags: str = "0") -> Callable[[list[str]], Declared]:
    """Of the words name, key, value and entries."""
    return lambda words: _table([f'"{kind}"', words[1], words[2], words[0], words[3], flags])


def _array(kind: str) -> Callable[[list[str]], Declared]:
    return lambda words: _table([f'"{kind}"', "int", words[1], words[0], words[2], "0"])


_ENTRIES = "10240"
_KEYED = ("", "u64", "u64", _ENTRIES)
_PLACED = ("", "u64", _ENTRIES)
# For each macro its arguments' defaults, how many must be given, and what makes the map of them.
_MACROS: dict[str, tuple[tuple[str, ...], int, Callable[[list[str]], Declared]]] = {
    "BPF_TABLE": (("",) * 5, 5, lambda words: _table([*words, "0"])),
    "BPF_F_TABLE": (("",) * 6, 6, _table),
    "BPF_HASH": (_KEYED, 1, _of_kind("hash")),
    "BPF_PERCPU_HASH": (_KEYED, 1, _of_kind("percpu_hash")),
    "BPF_LPM_TRIE": (_KEYED, 1, _of_kind("lpm_trie", "BPF_F_NO_PREALLOC")),
    "BPF_ARRAY": (_PLACED, 1, _array("array")),
    "BPF_PERCPU_ARRAY": (_PLACED, 1, _array("percpu_array")),
    "BPF_HISTOGRAM": (
        ("", "int", "64"),
        1,
        lambda words: _table(['"histogram"', words[1], "u64", words[0], words[2], "0"]),
    ),
    "BPF_PROG_ARRAY": (("", ""), 2, _places("PROG_ARRAY", "u32")),
    "BPF_DEVMAP": (("", ""), 2, _places("DEVMAP", "int")),
    "BPF_CPUMAP": (("", ""), 2, _places("CPUMAP", "u32")),
    "BPF_XSKMAP": (("", ""), 2, _places("XSKMAP", "int")),
    "BPF_QUEUE": (("", "", "", "0"), 3, lambda words: _queue(['"queue"', *words])),
    "BPF_STACK": (("", "", "", "0"), 3, lambda words: _queue(['"stack"', *words])),
    "BPF_QUEUESTACK": (("",) * 5, 5, _queue),
    # A ring for each CPU, as many as there are.
    "BPF_PERF_OUTPUT": (("",), 1, lambda words: Declared(words[0], PERF, "int", "u32")),
    "BPF_RINGBUF_OUTPUT": (
        ("", ""),
        2,
        lambda words: Declared(words[0], RING, entries=f"{_factor(words[1])} * {PAGE}"),
    ),
    "BPF_ARRAY_OF_MAPS": (
        ("", "", ""),
        3,
        lambda words: Declared(
            words[0], "ARRAY_OF_MAPS", "int", "", words[2], "", _plain(words[1])
        ),
    ),
    "BPF_HASH_OF_MAPS": (("", "", "", _ENTRIES), 2, _hash_of_maps),
}
KNOWN = set(_MACROS)


def _plain(text: str) -> str:
    """What stands in a text of C; several behind each other are one."""
    found = re.findall(r'"([^"]*)"', text)
    if not found or re.sub(r'"[^"]*"|\s', "", text):
        raise Wrong(f"{text:.40} is no text in quotation marks")
    return "".join(found)


def _factor(number: str) -> str:
    return number if re.fullmatch(r"\w+", number) else f"({number})"
