"""Maps that somebody has pinned: they live in a folder, and no program of ours holds them."""

from __future__ import annotations

import json
import os
import weakref
from pathlib import Path
from typing import Any

from ..arguments import checked
from ..compiling.btf import Btf
from ..errors import LabError
from ..libbpf.maps import MapTypes, btf_of, facts_of, pinned_file
from ..maps.maps import Map
from ..maps.plan import MapPlan
from ..network import sandbox

PINS = Path("/sys/fs/bpf")
MOST = 5  # names in a sentence


class _Held:
    """A descriptor, closed when nobody holds this any more."""

    def __init__(self, file: int) -> None:
        weakref.finalize(self, os.close, file)


@checked
def pinned(path: str | Path) -> Map:
    """The map that is pinned at a path, whoever made it: bpftool, a service, another Program.

    Args:
        path: such as ``"/sys/fs/bpf/icmp_packets"``, or only the name behind /sys/fs/bpf/.

    Raises:
        LabError: if nothing is there, or no map.
    """
    sandbox.require()
    whole = PINS / path
    try:
        file = pinned_file(str(whole))
    except OSError as error:
        there = sorted(str(one.relative_to(PINS)) for one in PINS.rglob("*") if _is_pin(one))
        names = ", ".join(there[:MOST]) + (f" and {len(there) - MOST} more" * (len(there) > MOST))
        has = f"; pinned in {PINS} are {names}" if there else f"; {PINS} is empty"
        raise LabError(f"nothing can be read at {whole} ({error.strerror}){has}") from None
    held = _Held(file)
    try:
        facts = facts_of(file)
    except OSError:
        raise LabError(f"what is pinned at {whole} is no map") from None
    described = _described(facts.types, (facts.key_size, facts.value_size))
    sizes = facts.key_size, facts.value_size, facts.entries, facts.flags
    plan = MapPlan(facts.name or whole.name, facts.kind, *described, *sizes, facts.types)
    return Map(plan, file, held)


def _is_pin(path: Path) -> bool:
    """Whether somebody has pinned it; the kernel's own lists are called maps.debug and the like."""
    own = path.stat().st_dev == PINS.stat().st_dev  # and nothing that is mounted there
    return own and path.is_file() and path.suffix != ".debug"


def _described(types: MapTypes, sizes: tuple[int, int]) -> tuple[str, str]:
    """The types of keys and values; where the map came without, numbers of their size."""
    btf = Btf(btf_of(types.btf)) if types.btf else None
    found: list[Any] = [
        btf.describe(number) if btf and number else {"number": size, "signed": False}
        for number, size in zip((types.key, types.value), sizes, strict=True)
    ]
    key, value = map(json.dumps, found)
    return key, value
