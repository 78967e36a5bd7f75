"""C made into a program and its maps by BCC, in a process of its own.

Where LLVM gives up it ends the process that called it, and two threads that call it at once end
theirs; what is built here in a child comes back as data, and the memory that it took is free again.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bcc import BPF
from bcc.table import _get_event_class

from .. import jail
from ..apart import MOST_BYTES, Child, Message, Parent
from ..errors import LabError
from ..explaining import SOURCES
from ..explaining.clang import AS_OLDER, WARNINGS
from ..explaining.handed import parts
from ..explaining.listing import TELL_ALL
from ..explaining.unwritten import KEY, VALUE, Unwritten, unwritten
from ..libbpf.library import lib
from ..libbpf.maps import MapTypes, types_of
from ..libbpf.programs import PROG_TYPE_XDP, function_names, helpers_of, refusal_of, with_maps
from ..maps import limits
from ..maps.plan import MapPlan
from ..maps.values import type_of
from ..network.session import current
from .guard import Guard
from .outcome import Built, Compiled, Verified
from .waiting import saying, why_long

PATIENCE = 10.0  # seconds for the verifier; an endless loop over a packet takes it minutes
SILENCE = 2.0  # seconds of waiting of which nothing is said
COMPILING = 60.0  # seconds for clang, which takes one or two over the largest honest program
MEMORY = 2 * 2**30  # bytes more than it begins with; the largest honest program takes 0.2

# Prepared by labsetup/lab for a kernel that has none of its own.
HEADERS = Path(sys.prefix) / "share" / "xdp-lab" / "kernel-headers"

NAMED = re.compile(r'^\s*#\s*include\s*[<"](/[^">]+)', re.MULTILINE)  # headers by their whole path


def name_headers() -> None:
    """Tell BCC of the prepared headers, where the kernel has none of its own in /lib/modules."""
    if HEADERS.exists() and not Path("/lib/modules", os.uname().release, "build").exists():
        os.environ.setdefault("BCC_KERNEL_SOURCE", str(HEADERS))


class Whose:
    """Whether the C that this process compiles is a stranger's, who names no header of ours."""

    strangers = False


class _Quiet(BPF):  # type: ignore[misc]  # BCC has no types
    """BCC, but for its habit of attaching whatever function has the name of a probe."""

    def _trace_autoload(self) -> None:
        pass


class Compilation:
    """A piece of C on its way into the kernel, in a child process.

    Use it as a context manager: `compiled`, then `verified`.
    """

    def __init__(self, text: str, function: str, kind: int = PROG_TYPE_XDP) -> None:
        """Begin.

        Args:
            text: the C.
            function: the one to load.
            kind: the type of BPF program, linux/bpf.h.
        """
        self._function, self._text = function, text
        own = [] if current().one(Whose).strangers else NAMED.findall(text)
        self._child = Child(lambda end: _work(end, text, function, kind, own), inherits=False)

    def compiled(self) -> Compiled:
        """Wait for clang.

        Raises:
            LabError: when it takes longer than a minute, or its maps are too large.
        """
        try:
            message = self._listen(COMPILING, why_long(self._function, self._text))
        except TimeoutError:
            raise LabError(
                f"clang was stopped after {COMPILING:g} s over {self._function}; look for a loop "
                "that it unrolls, or a macro that grows with each use, and make it smaller"
            ) from None
        if message is None:
            return Compiled(self._child.printed(), None, ended=True)
        found = json.loads(message.text)
        if found.pop("is_ours", False):
            raise LabError(found["trouble"])
        return Compiled(message.printed, **found)

    def _listen(self, seconds: float, words: str) -> Message | None:
        if self._child.has_told(min(SILENCE, seconds)):
            return self._child.listen(seconds)
        with saying(words):
            return self._child.listen(seconds - SILENCE)

    def verified(self) -> Verified:
        """Wait for the verifier."""
        try:
            message = self._listen(PATIENCE, f"the verifier is still at work on {self._function}")
        except TimeoutError:
            return Verified((), in_time=False)
        if message is None:
            log = self._child.printed() or "the process that loaded it has ended"
            return Verified((), log=log)
        return _verified(message)

    def __enter__(self) -> Compilation:
        return self

    def __exit__(self, *error: object) -> None:
        self._child.__exit__(*error)


def _verified(message: Message) -> Verified:
    found = json.loads(message.text)
    if found["trouble"]:
        return Verified((), log=message.printed or found["trouble"])
    built = Built(
        found["function"],
        bytes.fromhex(found["instructions"]),
        tuple(MapPlan(**plan | {"types": MapTypes(*plan["types"])}) for plan in found["maps"]),
        found["licence"].encode(),
    )
    return Verified(message.files, built, unwritten=[Unwritten(**x) for x in found["unwritten"]])


def _work(parent: Parent, text: str, function: str, kind: int, own: Sequence[str]) -> None:
    """In the child: compile, then load."""
    name_headers()
    try:
        guard = Guard(one.name for one in limits.declared(text))
        if (
            kind == PROG_TYPE_XDP
        ):  # the lab's own tracepoint is described in a file of the machine's
            _renounce([Path(one) for one in own], guard)
    except (LabError, OSError) as error:
        parent.tell(json.dumps({"functions": None, "trouble": str(error)}))
        return
    flags = [f"-I{SOURCES}", *WARNINGS, *AS_OLDER]
    try:
        bpf = _Quiet(text=text.encode(), cflags=flags, debug=TELL_ALL)
    except Exception as error:  # BCC raises nothing more particular
        told = {"functions": None, "trouble": str(guard.refused or error)}
        parent.tell(json.dumps(told | {"is_ours": bool(guard.refused)}))
        return
    functions = function_names(bpf.module)
    name = function.encode()
    helpers = helpers_of(bpf.dump_func(name)) if function in functions else ()
    parent.tell(json.dumps({"functions": functions, "helpers": list(helpers)}))
    if function not in functions:
        return
    try:
        loaded = bpf.load_func(name, kind)
    except Exception as error:
        parent.tell(json.dumps({"trouble": str(error)}))
        return
    numbers = range(lib.bpf_num_tables(bpf.module))
    files = [lib.bpf_table_fd_id(bpf.module, number) for number in numbers]
    licence = lib.bpf_module_license(bpf.module)
    plans = [_plan(bpf.module, number) for number in numbers]
    found: dict[str, Any] = {
        "trouble": "",
        "unwritten": [asdict(one) for one in _unwritten(bpf, bpf.dump_func(name), files, plans)],
        "function": function,
        # The place of a map stands where this process's descriptor of it stood.
        "instructions": with_maps(bpf.dump_func(name), files.index).hex(),
        "maps": [asdict(plan) for plan in plans],
        "licence": licence.decode(),
    }
    parent.tell(json.dumps(found), [loaded.fd, *files])


def _unwritten(
    bpf: BPF, code: bytes, files: list[int], plans: list[MapPlan]
) -> Iterator[Unwritten]:
    """What the program hands over unwritten, with the places of maps for their descriptors."""
    sizes = {file: (p.key_size, p.leaf_size) for file, p in zip(files, plans, strict=True)}
    licence = lib.bpf_module_license(bpf.module)

    def refuses(code: bytes) -> bool:
        return "R0 invalid mem access" in refusal_of(code, licence)

    # A warning is not worth a program: whatever goes wrong here, the verifier has accepted it.
    with contextlib.suppress(Exception):
        for one in unwritten(code, sizes, refuses):
            place = files.index(one.file) if one.file in files else -1
            kind = None
            if place >= 0:
                plan = plans[place]
                described = {
                    KEY: (plan.key, plan.key_size),
                    VALUE: (plan.leaf, plan.leaf_size),
                }.get(one.part)
                kind = type_of(*described) if described else _event(bpf, plan.name)
            layout = [*parts(kind, one.size)] if kind else []
            yield replace(one, file=place, parts=layout)


def _event(bpf: BPF, name: str) -> Any:
    """The type of what a buffer is given, where BCC knows it."""
    try:
        return _get_event_class(bpf[name.encode()])
    except Exception:  # a field of a type that BCC has no name for
        return None


def _renounce(named: Sequence[Path], guard: Guard) -> None:
    """Keep BPF alone, and headers: clang reads what a stranger may have written.

    Args:
        named: other headers that may be read, with those beside them.
        guard: is asked about maps.
    """
    modules = Path("/lib/modules", os.uname().release)
    prepared = Path(os.environ.get("BCC_KERNEL_SOURCE", HEADERS))
    kernels = [one.resolve() for one in (modules / "build", modules / "source", prepared)]
    beside = [one.parent for one in named]
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    user = jail.user_for([SOURCES / "xdp.h", *kernels, *named, *beside])
    cpus = Path("/sys/devices/system/cpu")  # BCC makes a ring for each one
    shown = [*jail.system(), SOURCES, prepared, cpus, *kernels, *beside]
    jail.see_only(shown, kept=Path("/sys/fs/bpf"))
    bounds = {
        resource.RLIMIT_AS: pages * resource.getpagesize() + MEMORY,
        resource.RLIMIT_CPU: int(COMPILING + PATIENCE),
        resource.RLIMIT_FSIZE: MOST_BYTES,
        resource.RLIMIT_CORE: 0,
    }
    kept = (jail.CAP_BPF, jail.CAP_PERFMON, jail.CAP_NET_ADMIN)
    jail.renounce(user, jail.COMPILING, bounds, kept, guard.may_create)


def _plan(module: int, number: int) -> MapPlan:
    return MapPlan(
        name=lib.bpf_table_name(module, number).decode(),
        kind=lib.bpf_table_type_id(module, number),
        key=lib.bpf_table_key_desc_id(module, number).decode(),
        leaf=lib.bpf_table_leaf_desc_id(module, number).decode(),
        key_size=lib.bpf_table_key_size_id(module, number),
        leaf_size=lib.bpf_table_leaf_size_id(module, number),
        entries=lib.bpf_table_max_entries_id(module, number),
        flags=lib.bpf_table_flags_id(module, number),
        types=types_of(lib.bpf_table_fd_id(module, number)),
    )
