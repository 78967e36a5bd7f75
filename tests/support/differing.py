"""An original and what was made of it, on the same packets: verdicts, bytes, maps afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from labsetup import Program
from labsetup.libbpf.runs import run_frame
from labsetup.maps.plan import MAPS_OF_MAPS, PROG_ARRAY, QUEUES
from support.exported import Loaded, contents, elements, plans


def copy_maps(original: Program, other: Loaded) -> None:
    """Write what the original's maps hold into the other's."""
    for name, (plan, fd) in plans(original).items():
        if plan.kind in MAPS_OF_MAPS | {PROG_ARRAY}:
            continue
        there = elements(plan, other.maps[name])
        for key, value in contents(plan, fd).items():
            there.put(key, value)


def differing_maps(original: Program, other: Loaded) -> list[str]:
    """The maps that do not hold the same."""
    found = list[str]()
    for name, (plan, fd) in plans(original).items():
        if contents(plan, fd) != contents(plan, other.maps[name]):
            found.append(name)
    for name, one in original.maps.items():
        if one._plan.kind in QUEUES:
            here, there = (elements(one._plan, fd) for fd in (one.fd, other.maps[name]))
            if _drained(here) != _drained(there):
                found.append(name)
    return found


def _drained(queue: Any) -> list[bytes]:
    return list(iter(queue.take, None))


def differences(original: Program, other: Loaded, frames: Iterable[bytes]) -> list[str]:
    """What differs on these packets, each in words; none if the two are the same.

    On one CPU, so that each count of a per-CPU map is made in the same copy.
    """
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    try:
        found = list[str]()
        for frame in frames:
            (verdict, after, _), (again, now, _) = (
                run_frame(original.fd, frame),
                run_frame(other.fd, frame),
            )
            if verdict != again or after != now:
                found.append(f"{frame.hex()}: {verdict} {after.hex()}, not {again} {now.hex()}")
        return found + [f"map {one}" for one in differing_maps(original, other)]
    finally:
        os.sched_setaffinity(0, cpus)
