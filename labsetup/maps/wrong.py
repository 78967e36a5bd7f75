"""What is said of a key or a value that a map does not take."""

from __future__ import annotations

import ctypes
import errno
from typing import Any

from .plan import NUMBERED, MapPlan
from .values import OutOfRange, form_of, how_to_write, raw_bytes

LONGEST = 200  # characters of an entry in a sentence


def short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def no_place(plan: MapPlan, key: Any, is_set: bool = False) -> str:
    """Of a key that is none of an array's places, and is to be read or set."""
    last = plan.entries - 1
    places = f"the places 0 to {last:,}" if last else "one place, 0"
    given = short(str(key))
    if is_set:  # a mistake in 5.3 is known by this name
        return f"there is no {plan.name}[{given}]: {plan.name} has {places}"
    return f"{plan.name} has no entry {given}: it has {places}"


def not_made(plan: MapPlan, kind: Any, value: Any, what: str, error: Exception) -> str:
    """Of what is no key or no value of this C type; *error* says why it is none."""
    is_outside = isinstance(error, OutOfRange)
    if is_outside and what == "a key" and plan.kind in NUMBERED:
        return no_place(plan, value)
    raw, form = raw_bytes(value), form_of(kind)
    given = repr(value) if raw is None else f"{len(raw)} bytes"
    if raw is not None and not form.endswith("bytes"):
        form = f"{form}, {ctypes.sizeof(kind)} bytes"
    how = str(error) if is_outside else how_to_write(kind, value)
    if is_outside and what == "a value" and plan.about.use.startswith(("a place", "an entry")):
        how = f"; {plan.about.use}"
    return f"{what} of map {plan.name} is {form}, not {short(given)}{how}"


def refused(plan: MapPlan, key: Any, error: OSError) -> str:
    """Of an entry that the kernel does not take: its E2BIG reads «Argument list too long»."""
    if error.errno == errno.E2BIG and plan.kind in NUMBERED:
        return no_place(plan, key, is_set=True)
    if error.errno in (errno.E2BIG, errno.ENOSPC):  # the latter of kernel/bpf/lpm_trie.c
        room = f"{plan.entries:,} {'entry' if plan.entries == 1 else 'entries'}"
        return (
            f"{plan.name} is full: it has room for {room}; take one out first: "
            f"del program[{plan.name!r}][key]"
        )
    use = f"; {plan.about.use}" if plan.about.use else ""
    return f"the kernel refused {plan.name}[{key}]: {error.strerror}{use}"
