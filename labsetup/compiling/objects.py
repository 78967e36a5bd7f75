"""C for libbpf made into a program and its maps: clang in one process, libbpf in another.

What libbpf opens here was made from what a stranger may have written, so it is opened where that
can do no harm either, and comes back as data and open files.
"""

from __future__ import annotations

import contextlib
import json
import resource
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..apart import MOST_BYTES, Child, Message, Parent
from ..errors import LabError
from ..explaining import loading
from ..explaining.handed import parts
from ..explaining.steps import following, steps_of, targets
from ..explaining.unwritten import KEY, VALUE, Unwritten, unwritten
from ..libbpf.maps import MapTypes, types_of
from ..libbpf.programs import helpers_of, refusal_of
from ..maps import limits
from ..maps.plan import MapPlan
from ..maps.values import type_of
from ..network import jail
from ..network.session import current
from .bcc import COMPILING, NAMED, PATIENCE, SILENCE, Whose
from .btf import Btf, lines, size_of
from .clang import of_program
from .elf import Elf
from .object import Object, ObjectMap, ObjectProgram
from .outcome import BuiltObject, Code, Compiled, Variable, Verified
from .variables import initial
from .waiting import saying

MEMORY = 2**30  # bytes more than it begins with
SECTIONS = (".bss", ".data", ".rodata")


class ObjectCompilation:
    """A piece of C on its way into the kernel, in child processes.

    Use it as a context manager: `compiled`, then `verified`.
    """

    def __init__(self, text: str, function: str, constants: Mapping[str, Any]) -> None:
        """Begin.

        Args:
            text: the C.
            function: the one that is to run.
            constants: variables of .rodata that are set before it is loaded, by name.
        """
        self._function, self._constants = function, constants
        own = [] if current().one(Whose).strangers else [Path(one) for one in NAMED.findall(text)]
        self._clang = of_program(text, own)
        self._child: Child | None = None
        self._data = b""
        self._described: dict[str, Any] = {}

    def compiled(self) -> Compiled:
        """Wait for clang.

        Raises:
            LabError: when it takes longer than a minute.
        """
        try:
            if not self._clang.has_ended(SILENCE):
                with saying(f"clang is still at work on {self._function}"):
                    self._clang.has_ended(COMPILING)
            self._data, told, ended = self._clang.result(COMPILING)
        except TimeoutError:
            raise LabError(
                f"clang was stopped after {COMPILING:g} s over {self._function}; look for a loop "
                "that it unrolls, or a macro that grows with each use, and make it smaller"
            ) from None
        if ended or not self._data:
            return Compiled(told, None, ended=ended)
        self._child = _loader(self._data, self._function, self._constants)
        message = self._child.listen(PATIENCE)
        if message is None:
            return Compiled(told, None, trouble=self._child.printed() or "libbpf's process ended")
        found = json.loads(message.text)
        if "trouble" in found:
            trouble = message.printed + found["trouble"]
            return Compiled(told, None, trouble=trouble, undefined=found["undefined"])
        code = {name: Code(**one) for name, one in found.pop("code").items()}
        plans = [_plan_of(one) for one in found.pop("maps")]
        return Compiled(told, code=code, maps=plans, **found)

    def verified(self) -> Verified:
        """Wait for the verifier.

        Raises:
            LabError: for a constant that is not there, or maps that are too large.
        """
        assert self._child
        try:
            if not self._child.has_told(SILENCE):
                with saying(f"the verifier is still at work on {self._function}"):
                    message = self._child.listen(PATIENCE)
            else:
                message = self._child.listen(PATIENCE)
        except TimeoutError:
            return Verified((), in_time=False)
        if message is None:
            return Verified((), log=self._child.printed() or "the process that loaded it has ended")
        return _verified(message, self._data, self._constants)

    def __enter__(self) -> ObjectCompilation:
        return self

    def __exit__(self, *error: object) -> None:
        self._clang.__exit__(*error)
        if self._child:
            self._child.__exit__(*error)


def load_again(built: BuiltObject) -> Sequence[int]:
    """Load an object file once more; the verifier has accepted it before.

    Returns:
        descriptors: of the program, of its maps, of the other functions.

    Raises:
        OSError: when the kernel has no room for it.
        LabError: when a map is pinned where it pins another.
    """
    with _loader(built.data, built.function, built.constants) as child:
        child.listen(PATIENCE)
        message = child.listen(PATIENCE)
        if message is None:
            raise OSError(0, "libbpf's process has ended")
        if (found := json.loads(message.text))["trouble"]:
            if why := loading.why(message.printed, built.maps, found["pinned"]):
                raise LabError(f"{built.function} cannot be loaded once more: {why}")
            raise OSError(0, found["trouble"])
        return message.files


def _loader(data: bytes, function: str, constants: Mapping[str, Any]) -> Child:
    return Child(lambda parent: _work(parent, data, function, constants), inherits=False)


def _plan_of(told: Mapping[str, Any]) -> MapPlan:
    return MapPlan(**{**told, "types": MapTypes(*told["types"])})


def _verified(message: Message, data: bytes, constants: Mapping[str, Any]) -> Verified:
    found = json.loads(message.text)
    if found["trouble"]:
        if found["is_ours"]:
            raise LabError(found["trouble"])
        log = message.printed + found["trouble"]
        return Verified((), log=log, pinned=found["pinned"])
    built = BuiltObject(
        found["function"],
        b"",
        tuple(_plan_of(one) for one in found["maps"]),
        found["licence"].encode(),
        data,
        tuple(found["others"]),
        frozenset(found["hidden"]),
        {name: Variable(*one) for name, one in found["variables"].items()},
        found["structs"],
        constants,
    )
    return Verified(message.files, built, unwritten=[Unwritten(**x) for x in found["unwritten"]])


def _work(parent: Parent, data: bytes, function: str, constants: Mapping[str, Any]) -> None:
    """In the child: open, tell what is there, load."""
    undefined: list[str] = []
    try:
        limits.memory()  # which is read where it can still be seen
        _renounce()
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
        "code": {name: asdict(one) for name, one in _code(file, types)},
        "maps": [asdict(plan) for plan in plans],
    }
    parent.tell(json.dumps(told))
    try:
        limits.check(plans)
        _set(constants, maps, types, file)
        opened.load()
    except (LabError, OSError) as error:
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
            for name, offset, kind in _variables(section_of(plans[place].name), file, types)
        },
        "structs": types.structs(),
    }
    return json.dumps(found), [main.fd, *files, *(one.fd for one in others)]


def _variables(section: str, file: Elf, types: Btf) -> Iterator[tuple[str, int, Any]]:
    """A section's variables: name, offset, description.

    What has a dot in its name is a function's own.  Of a static array clang may keep some elements
    alone; it is left out then.
    """
    at = {one.name: one for one in file.symbols if file.is_in(one, section)}
    for name, kind in types.variables(section):
        if "." not in name and name in at and at[name].size == size_of(kind):
            yield name, at[name].offset, kind


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


def loops_of(code: bytes) -> list[tuple[int, int]]:
    """The first and the last instruction of each loop."""
    steps, at, found = steps_of(code), 0, list[tuple[int, int]]()
    while at < len(steps):
        found += [(to, at) for to in targets(at, steps[at])[:1] if to <= at]
        at = max(following(at, steps[at]), default=at + 1)
    return found


def _set(constants: Mapping[str, Any], maps: Sequence[ObjectMap], types: Btf, file: Elf) -> None:
    """Set variables of .rodata, of which the program sees nothing else from then on."""
    if not constants:
        return
    has = {name: (at, kind) for name, at, kind in _variables(".rodata", file, types)}
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


def _renounce() -> None:
    """Keep BPF alone: libbpf reads what was made from what a stranger may have written."""
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
    jail.renounce(jail.NOBODY, jail.LOADING, bounds, kept)
