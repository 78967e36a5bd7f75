"""libbpf at work on an object file, in a process that can do little else.

What libbpf opens here was made from what a stranger may have written; what it finds comes back as
data and open files.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from .. import jail
from ..apart import MOST_BYTES, Child, Parent
from ..errors import LabError
from ..explaining.handed import parts
from ..explaining.unwritten import KEY, VALUE, Unwritten, unwritten
from ..libbpf.maps import MapTypes, types_of
from ..libbpf.programs import helpers_of, refusal_of
from ..maps import limits
from ..maps.plan import MapPlan
from ..maps.values import type_of
from ..network.session import current
from .bcc import PATIENCE, Whose
from .btf import Btf, lines
from .elf import Elf
from .guard import Guard
from .object import Object, ObjectMap, ObjectProgram
from .outcome import Code, Variable
from .turns import loops_of, too_long
from .variables import initial, placed

MEMORY = 2**30  # bytes more than it begins with


class Loader:
    """A process in which libbpf loads an object file, and which can do little else."""

    def __init__(self, function: str, constants: Mapping[str, Any]) -> None:
        source, self._source = os.pipe()
        self.child = Child(
            lambda parent: _work(parent, source, function, constants),
            inherits=False,
            kept=[source],
        )
        os.close(source)

    def give(self, data: bytes) -> None:
        """Hand it the object file."""
        with contextlib.suppress(BrokenPipeError), os.fdopen(self._source, "wb") as source:
            self._source = -1
            source.write(data)

    def end(self) -> None:
        """End it."""
        self.child.__exit__()
        if self._source >= 0:
            os.close(self._source)


def _work(parent: Parent, source: int, function: str, constants: Mapping[str, Any]) -> None:
    """In the child: open, tell what is there, load."""
    undefined: list[str] = []
    try:
        guard = Guard()
        _renounce(guard)
        with os.fdopen(source, "rb") as given:
            data = given.read()
        file = Elf(data)
        # All but the kernel's configuration, which libbpf writes in their place.
        known = ("LINUX_", "CONFIG_")
        undefined = [one for one in file.undefined() if not one.startswith(known)]
        types = Btf(file.section(".BTF"))
        opened = Object(data)
        maps, programs = list(opened.maps()), list(opened.programs())
    except (LabError, OSError, ValueError) as error:
        parent.tell(json.dumps({"trouble": str(error), "undefined": undefined}))
        return
    other_kinds = []
    for one in programs:
        if one.section.startswith("xdp") and not one.is_xdp:
            one.make_xdp()
        elif not one.is_xdp:
            one.leave_out()
            other_kinds.append(one)
    functions = [one for one in programs if one not in other_kinds]
    plans = [_plan(one, types) for one in maps]
    told = {
        "functions": [one.name for one in functions],
        "helpers": sorted(set().union(*map(helpers_of, file.code()))),
        "probes": [f'{one.name}, SEC("{one.section}")' for one in other_kinds],
        "undefined": undefined,
        "too_long": too_long(file, types),
        "code": {name: asdict(one) for name, one in _code(file, types)},
        "maps": [asdict(plan) for plan in plans],
    }
    parent.tell(json.dumps(told))
    try:
        limits.check(plans, current().one(Whose).strangers)
        _set(constants, maps, types, file)
        opened.load()
    except (LabError, OSError) as error:
        error = guard.refused or error
        is_ours = isinstance(error, LabError)
        pinned = {one.name: one.pinned for one in maps if one.pinned}
        parent.tell(json.dumps({"trouble": str(error), "is_ours": is_ours, "pinned": pinned}))
        return
    parent.tell(*_told(function, functions, maps, plans, file, types))


def _told(
    function: str,
    functions: Sequence[ObjectProgram],
    maps: Sequence[ObjectMap],
    plans: Sequence[MapPlan],
    file: Elf,
    types: Btf,
) -> tuple[str, list[int]]:
    """What is told of a loaded program, and its descriptors."""
    main = next(one for one in functions if one.name == function)
    others = [one for one in functions if one is not main]
    files = [one.fd for one in maps]
    licence = file.section("license").rstrip(b"\0")
    hidden = [place for place, one in enumerate(maps) if one.is_of_variables]
    plans = [replace(p, types=types_of(fd)) for p, fd in zip(plans, files, strict=True)]
    found = {
        "trouble": "",
        "unwritten": [asdict(one) for one in _unwritten(main.code(), licence, files, plans)],
        "function": function,
        "maps": [asdict(plan) for plan in plans],
        "licence": licence.decode(errors="replace"),
        "others": [one.name for one in others],
        "hidden": hidden,
        "variables": {
            name: Variable(place, offset, kind, ".rodata" in plans[place].name)
            for place in hidden
            for name, offset, kind in placed(section_of(plans[place].name), file, types)
        },
        "structs": types.structs(),
    }
    return json.dumps(found), [main.fd, *files, *(one.fd for one in others)]


def section_of(name: str) -> str:
    """The section of the variables of a map such as ``lab.rodata``."""
    return f".{name.partition('.')[2]}"


def _code(file: Elf, types: Btf) -> Iterator[tuple[str, Code]]:
    """Of each function where its instructions come from."""
    all_lines = lines(file.section(".BTF.ext"), types)
    for one in file.symbols:
        here = file.sections[one.section] if one.section < len(file.sections) else None
        if here is None or not (here.is_code and one.size):
            continue
        first, last = one.offset // 8, (one.offset + one.size) // 8
        own = [
            (line.instruction - first, line.file, line.number, line.text)
            for line in all_lines.get(here.name, [])
            if first <= line.instruction < last
        ]
        yield one.name, Code(own, loops_of(here.data[one.offset : one.offset + one.size]))


def _set(constants: Mapping[str, Any], maps: Sequence[ObjectMap], types: Btf, file: Elf) -> None:
    """Set variables of .rodata, of which the program sees nothing else from then on."""
    if not constants:
        return
    has = {name: (at, kind) for name, at, kind in placed(".rodata", file, types)}
    data = initial(constants, has, file.section(".rodata"))
    next(one for one in maps if one.name.endswith(".rodata")).begin_with(data)


def _plan(one: ObjectMap, types: Btf) -> MapPlan:
    sizes = one.sizes
    described = (
        types.describe(number) if number else {"number": size, "signed": False}
        for number, size in zip(one.types, sizes, strict=True)
    )
    key, leaf = (json.dumps(kind) for kind in described)
    return MapPlan(one.name, one.kind, key, leaf, *sizes, one.entries, one.flags, MapTypes(0, 0, 0))


def _unwritten(
    code: bytes, licence: bytes, files: list[int], plans: Sequence[MapPlan]
) -> Iterator[Unwritten]:
    """What the program hands over unwritten, with the places of maps for their descriptors."""
    sizes = {file: (p.key_size, p.leaf_size) for file, p in zip(files, plans, strict=True)}

    def refuses(code: bytes) -> bool:
        return "R0 invalid mem access" in refusal_of(code, licence)

    # A warning is not worth a program: whatever goes wrong here, the verifier has accepted it.
    with contextlib.suppress(Exception):
        for one in unwritten(code, sizes, refuses):
            place = files.index(one.file) if one.file in files else -1
            described = {KEY: "key", VALUE: "leaf"}.get(one.part)
            layout: list[tuple[int, int, str]] = []
            if place >= 0 and described:
                kind = type_of(
                    getattr(plans[place], described), getattr(plans[place], f"{described}_size")
                )
                layout = [*parts(kind, one.size)]
            yield replace(one, file=place, parts=layout)


def _renounce(guard: Guard) -> None:
    """Keep BPF alone: libbpf reads what was made from what a stranger may have written.

    Args:
        guard: is asked about maps.
    """
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    shown = [*jail.system(), Path("/sys/devices/system/cpu"), Path("/sys/kernel/btf")]
    jail.see_only(shown, kept=Path("/sys/fs/bpf"))
    bounds = {
        resource.RLIMIT_AS: pages * resource.getpagesize() + MEMORY,
        resource.RLIMIT_CPU: int(2 * PATIENCE),
        resource.RLIMIT_FSIZE: MOST_BYTES,
        resource.RLIMIT_CORE: 0,
    }
    kept = (jail.CAP_BPF, jail.CAP_PERFMON, jail.CAP_NET_ADMIN)
    jail.renounce(jail.NOBODY, jail.LOADING, bounds, kept, guard.may_create)
