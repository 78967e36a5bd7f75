"""Program: the C, what the kernel has of it, its maps, and where it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, cast

from scapy.packet import Packet

from ..arguments import checked
from ..compiling.clang import record_of
from ..compiling.outcome import Built, BuiltObject
from ..errors import LabError, Nameable
from ..exporting.folder import Exported, export
from ..libbpf.links import FLAG_MODE
from ..libbpf.programs import facts
from ..maps.maps import Map
from ..maps.plan import MAPS_OF_MAPS
from ..network import sandbox
from ..network.interface import Interface
from ..packets.craft import frame
from . import sources
from .attach import Attachment, mend_helpers, replace, take_off
from .build import build
from .loaded import Loaded, load
from .printed import listen_for
from .run import Run, run
from .variables import Variables

# The maps of bpf/capture.c, which are not the program's own.
CAPTURES = {"records", "met"}

# What else is known from BCC: docs/reference_guide.md, "BPF Python".
_RINGS = "program['ring'].read() takes the records of a ring buffer"
_PRINTED = "what bpf_printk() prints stands below the cell"
BCC_NAMES = {
    "attach_xdp": "attach(net.server.eth0) does it",
    "remove_xdp": "detach() does it",
    "load_func": "it is loaded already; attach(net.server.eth0) has it run",
    "get_table": "a map is got by its name, as in program['counts']",
    "perf_buffer_poll": _RINGS,
    "ring_buffer_poll": _RINGS,
    "ring_buffer_consume": _RINGS,
    "trace_print": _PRINTED,
    "trace_fields": _PRINTED,
    "trace_readline": _PRINTED,
    "cleanup": "it goes with its variable, or with the notebook",
}


class Program(Nameable):
    """An XDP program, compiled by BCC, or by clang and libbpf, and accepted by the verifier.

    Attributes:
        name: its function's name.
        source: its C.
        warnings: what clang found suspicious in it, a line each.
        hidden_maps: those of its capture, by name.
        maps: its BPF maps by name; ``program["icmp_packets"]`` is short for one.
        variables: those of libbpf's C that stand outside of every function, by name.
        functions: of libbpf's C, the other functions that XDP could run, each as a Program.
        size: instructions as the kernel runs them, and bytes of machine code.
    """

    _elsewhere = BCC_NAMES

    @checked
    def __init__(
        self,
        name: str | Path | Program,
        source: str | None = None,
        capture: bool = False,
        constants: Mapping[str, Any] | None = None,
    ) -> None:
        """Compile and load.

        Args:
            name: a program of ``bpf/`` such as ``"xdp_drop"``, or the path of a ``.c`` file, or a
                program to load once more, with empty maps; those that it pins keep their entries.
            source: C to use instead of a file; *name* then only names it.
            capture: put ``bpf/capture.c`` around it, so that `record` sees each packet.
            constants: what variables that the C calls ``const volatile`` are, by name.

        Raises:
            BuildError: with clang's first complaint.
            VerifierError: with the refused line and what usually mends it.
        """
        sandbox.require()
        self._attached: list[Interface] = []
        self._constants = dict(constants or {})
        self.path: Path | None
        self.name: str
        self.source: str
        self.warnings: list[str]
        self._built: Built
        self.captures = capture
        if isinstance(name, Program):
            self.path, self.name, self.source = name.path, name.name, name.source
        else:
            given = cast(str | Path, name)
            self.path = None if source is not None else sources.find(given)
            self.name = Path(given).stem
            self.source = sources.read(self.path) if self.path else str(source)
        same = isinstance(name, Program) and name.captures == capture and constants is None
        if isinstance(name, Program) and same and name._can_be_repeated:
            self._built, self.warnings = name._built, name.warnings
            self._loaded = load(self._built)
        else:
            self._built, self._loaded, self.warnings = self._compiled()
        if trouble := listen_for(self.source):
            self.warnings = [*self.warnings, f"what it prints cannot be shown here: {trouble}"]
        self._look()

    def _look(self) -> None:
        """At what was loaded."""
        self.fd = self._loaded.fd
        self.size = facts(self.fd)
        self.id = self.size.id
        built, loaded = self._built, self._loaded
        structs = built.structs if isinstance(built, BuiltObject) else {}
        maps = [
            Map(plan, fd, loaded, structs, record_of(self.source, plan.name) if structs else "")
            for plan, fd in zip(built.maps, loaded.maps, strict=True)
        ]
        again = repr(str(self.path)) if self.path else self.name  # of a cell: the variable
        self.variables = Variables(self.name, built, maps, again)
        own = {one.name: one for n, one in enumerate(maps) if n not in self.variables.places}
        is_capture = self.captures or self.name == "capture"
        self.hidden_maps = {n: one for n, one in own.items() if is_capture and n in CAPTURES}
        self.maps = {n: one for n, one in own.items() if n not in self.hidden_maps}
        self.functions: dict[str, Program] = {}
        if isinstance(built, BuiltObject) and loaded.others:
            self.functions = {
                name: self._other(name, fd)
                for name, fd in zip(built.others, loaded.others, strict=True)
            }

    def _other(self, name: str, fd: int) -> Program:
        """Another function of the same object file, with the same maps."""
        other = copy(self)
        other.name, other._attached, other._loaded = name, [], self._loaded
        other.fd, other.size, other.functions = fd, facts(fd), {}
        other.id = other.size.id
        return other

    @property
    def _can_be_repeated(self) -> bool:
        """BCC does not tell what the maps in a map of maps are like: those are compiled anew.

        So is a program whose object file was loaded for another of its functions.
        """
        if isinstance(self._built, BuiltObject):
            return self.name not in self._built.others
        return not any(plan.kind in MAPS_OF_MAPS for plan in self._built.maps)

    def _compiled(self) -> tuple[Built, Loaded, list[str]]:
        function = sources.entry_of(self.name, self.source)
        file = self.path.name if self.path else ""
        if not self.captures:
            return build(self.name, self.source, function, file, self._constants)
        text = sources.with_capture(self.source, function)
        return build(self.name, text, "capture", file, self._constants)

    def __getitem__(self, name: str) -> Map:
        try:
            return self.maps[name]
        except KeyError:
            has = ", ".join(self.maps) or "none"
            raise LabError(f"{self.name} has no map {name!r}; its maps: {has}") from None

    def _ipython_key_completions_(self) -> list[str]:
        """What Tab offers behind ``program["``."""
        return list(self.maps)

    @checked
    def attach(self, interface: Interface, mode: str = "native", helper: bool = True) -> None:
        """Run the program for each packet that arrives at an interface.

        It replaces a program that the lab attached there before, without a gap.

        Args:
            interface: such as ``net.server.eth0``.
            mode: ``"native"`` runs in the driver, before the kernel makes an skb of the frame;
                ``"generic"`` after that, on any driver.
            helper: in native mode put xdp_pass on the other end of the link, if nothing is
                there.  Without it veth takes back none of the frames that XDP sends.

        Raises:
            LabError: if it is not an interface of the lab, or has a program of somebody else's, or
                the kernel refuses: what ran there runs on.
        """
        if mode not in FLAG_MODE:
            raise LabError(f"there is no mode {mode!r}; use 'native' or 'generic'")
        ours = interface.ours
        if ours is None and interface.xdp is not None:
            raise LabError(
                f"{interface.host.name} {interface.name} already runs an XDP program that this "
                f"notebook did not attach; take it off first: "
                f"!ip -n {interface.host.name} link set {interface.name} xdp off"
            )
        wanted = helper and mode == "native"
        replace(interface, self.fd, Attachment(self, mode, self.id, wanted))
        self._attached.append(interface)

    @checked
    def detach(self, interface: Interface | None = None) -> None:
        """Take the program off an interface, or off every one; the lab's xdp_pass goes with it."""
        if interface is not None and interface not in self.places:
            raise LabError(f"{self.name} is not attached to {interface.host.name} {interface.name}")
        for one in self.places if interface is None else [interface]:
            take_off(one)
            mend_helpers(one)

    @property
    def places(self) -> list[Interface]:
        """The interfaces that run this program now."""
        self._attached = [one for one in dict.fromkeys(self._attached) if self._runs_at(one)]
        return list(self._attached)

    def _runs_at(self, interface: Interface) -> bool:
        try:
            ours = interface.ours
        except LabError:  # the interface is gone
            return False
        return ours is not None and ours.program is self

    @checked
    def run(
        self, packet: Packet | bytes, repeat: int = 1, cpus: Sequence[int] | None = None
    ) -> Run:
        """Run the program on one packet, with no network at all (BPF_PROG_TEST_RUN).

        Args:
            packet: a scapy packet, or the bytes of a frame from its Ethernet header on.
            repeat: runs to time, from 1 to 10,000,000; the maps count each one.
            cpus: run it *repeat* times on each of these CPUs, all at once.

        Raises:
            LabError: for a frame that the kernel does not take.
        """
        raw = frame(packet)
        small = [one for one in self.maps.values() if one.is_small and repeat == 1 and not cpus]
        before = [one.raw() for one in small]
        first = dict(self.variables) if repeat == 1 and not cpus else {}
        verdict, after, ns = run(self.fd, raw, repeat, cpus)
        changed: dict[str, tuple[object, object]] = {
            name: (was, now) for name, was in first.items() if (now := self.variables[name]) != was
        }
        for one, old in zip(small, before, strict=True):
            new = one.raw()
            for key in [key for key in old | new if old.get(key) != new.get(key)]:
                words, was = one.shown(key, old.get(key))
                changed[f"{one.name}[{words}]"] = was, one.shown(key, new.get(key))[1]
        return Run(self.name, verdict, raw, after, ns, changed)

    @checked
    def export(self, folder: str | Path) -> Exported:
        """Write the program as a folder that builds and loads without the lab.

        Its C becomes libbpf's, in one file, with a Makefile, and a README that says what to type.

        Args:
            folder: made if it is not there; nothing that is there is overwritten.

        Raises:
            LabError: for a line that cannot be translated, or where nothing can be written.
        """
        if not str(folder):
            raise LabError("export() takes the name of a folder, such as 'exported'")
        place = Path(os.path.expanduser(folder))
        return export(self.name, self.source, place, sources.origin(self.path))

    def __repr__(self) -> str:
        return f"{sources.without_licence(self.source)}\n\n{self.summary}"

    @property
    def summary(self) -> str:
        """One line: size, and where it is attached."""
        modes = {one: one.ours for one in self.places}
        places = [f"{i.host.name} {i.name} ({ours.mode})" for i, ours in modes.items() if ours]
        return (
            f"{self.name}: {self.size.instructions} instructions, {self.size.jited_bytes} bytes of "
            f"machine code; {'attached to ' + ', '.join(places) if places else 'not attached'}"
        )
