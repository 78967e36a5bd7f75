"""What to say of bytes that a program hands over and never wrote: which they are, what to write."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from typing import Any

from .clang import Remark
from .listing import Listing, Place
from .unwritten import KEY, SUBMIT, VALUE, Unwritten

PADDING = "__pad"  # BCC names the gaps too

GIVEN = re.compile(r"(?:&|increment\()\s*(\w+)\b(?!\s*(?:->|\.|\[))")  # variables handed over


def warnings(listing: Listing, found: Sequence[Unwritten], maps: Sequence[str]) -> Iterator[Remark]:
    """What to say, once for each variable.

    Args:
        listing: the program's.
        found: the bytes.
        maps: names, in the order of the places that *found* has.
    """
    told = set()
    for one in found:
        key = one.where, tuple(one.missing), one.where < 0 and one.at
        if key not in told:
            yield _sentence(listing, one, maps[one.file] if one.file >= 0 else "")
        told.add(key)


def _sentence(listing: Listing, one: Unwritten, name: str) -> Remark:
    place = listing.at(one.at)
    what = {KEY: f"the key for {name}", VALUE: f"the value for {name}"}.get(one.part, "")
    happens = {
        KEY: "what lay there before makes different keys of the same one",
        VALUE: "the map keeps what lay there before",
    }.get(one.part, "what lay there before goes with it")
    which = _which(one)
    words = (
        f"{what or 'the record'} is handed over "
        f"{f'with {which} ' if which else ''}never written{' on one path' if one.ever else ''}; "
        f"{happens}: {_mend(listing, one, place)}"
    )
    return Remark("warning", place or Place(0, "", "somewhere"), words)


def _which(one: Unwritten) -> str:
    """The fields and holes that the bytes belong to; empty where it is all of it."""
    names = one.parts
    missing, told = set(one.missing), list[str]()
    for position, (begin, end, name) in enumerate(names):
        lost = missing & set(range(begin, end))
        if not lost:
            continue
        if name or (begin, end) == (0, one.size):
            told += [name] if name else []
        else:
            before = next((x for *_, x in reversed(names[:position]) if x), "")
            after = next((x for *_, x in names[position + 1 :] if x), "")
            where = f"between {before} and {after}" if after else f"behind {before}"
            number = f"{len(lost)} bytes" if len(lost) > 1 else "1 byte"
            told.append(f"{number} of hole {where}")
    if not told and len(one.missing) < one.size:
        told = [f"bytes {_runs(one.missing)} of {one.size}"]
    return " and ".join(", ".join(told).rsplit(", ", 1))


def _runs(numbers: Sequence[int]) -> str:
    """Numbers, counted from 0, with what follows each other as from-to."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def parts(kind: Any, size: int, begin: int = 0, path: str = "") -> Iterator[tuple[int, int, str]]:
    """The fields of a type with where they lie; what lies between has no name."""
    if not (isinstance(kind, type) and issubclass(kind, ctypes.Structure)):
        yield begin, begin + size, path
        return
    at = begin
    for name, field, *_ in kind._fields_:
        offset = begin + getattr(kind, name).offset
        length = ctypes.sizeof(field)
        if name.startswith(PADDING):
            continue
        if offset > at:
            yield at, offset, ""
        yield from parts(field, length, offset, f"{path}.{name}".strip("."))
        at = max(at, offset + length)
    if at < begin + size:
        yield at, begin + size, ""


def _mend(listing: Listing, one: Unwritten, place: Place | None) -> str:
    """What to write, and where the variable is declared if that can be seen."""
    if one.helper == SUBMIT:
        return "begin with __builtin_memset(record, 0, sizeof(*record)), and set its fields below"
    hole = "; a field of its own in the place of a hole does as well" if _has_hole(one) else ""
    given = GIVEN.findall(place.text if place else "")
    number = 1 if one.part == VALUE and len(given) > 1 else 0
    declared = listing.declared(given[number], place.line) if place and given else None
    if declared is None:
        return f"write = {{}} where it is declared, and set its fields below that{hole}"
    head = re.search(rf"(?:struct\s+)?\w+\s+{given[number]}\b", declared.text)
    begin = f"write {head[0] if head else declared.text}"
    if len(one.parts) == 1:
        return f"{begin} = 0; in line {declared.line}"
    return f"{begin} = {{}}; in line {declared.line}, and set its fields below that{hole}"


def _has_hole(one: Unwritten) -> bool:
    missing = set(one.missing)
    return any(not name and missing & set(range(a, b)) for a, b, name in one.parts[1:])
