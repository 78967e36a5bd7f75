"""Program: from C to a verdict. Compile, verify, attach, detach, run on one packet."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier
from typing import Any

from bcc import BPF
from scapy.packet import Packet

from . import libbpf, sandbox, show
from .hosts import Interface
from .maps import Map
from .packets import Field, compare, frame
from .refusals import (
    SOURCES,
    TELL_ALL,
    WARNINGS,
    Listing,
    explain,
    gave_up,
    included,
    last_words,
    remarks,
    undeclared,
)
from .sandbox import LabError

HEADERS = Path(sys.prefix) / "share" / "xdp-lab" / "kernel-headers"

# BCC looks in /lib/modules by itself; a kernel without headers there takes the prepared ones.
if HEADERS.exists() and not Path("/lib/modules", os.uname().release, "build").exists():
    os.environ.setdefault("BCC_KERNEL_SOURCE", str(HEADERS))

# enum xdp_action, linux/bpf.h
VERDICTS = ("XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT")

# The maps of bpf/capture.c, which are not the program's own.
CAPTURES = {"records", "met"}

PATIENCE = 10.0  # seconds for the verifier; an endless loop over a packet takes it minutes


class BuildError(LabError):
    """clang does not accept the C.

    Attributes:
        log: all that was said.
        warnings: what clang had found suspicious before, a line each.
    """

    def __init__(self, message: str, log: str, warnings: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.log, self.warnings = log, warnings

    def _render_traceback_(self) -> list[str]:
        """The sentence, and what clang had warned of."""
        warned = [f"clang warns: {one}" for one in self.warnings]
        return [*super()._render_traceback_(), *warned]


class VerifierError(BuildError):
    """The kernel's verifier refuses the program."""

    def _render_traceback_(self) -> list[str]:
        """Under all that, what the verifier itself said last."""
        words = last_words(self.log)
        last = ["", "the verifier:", *words] if words else []
        return [*super()._render_traceback_(), *last]


@dataclass(frozen=True)
class Attachment:
    """What the lab has put on an interface.

    Attributes:
        program: None for the xdp_pass that helps the other end.
        mode: ``"native"`` or ``"generic"``.
        id: the kernel's number for the loaded program.
        wants_helper: whether the other end is to run XDP as well.
    """

    program: Program | None
    mode: str
    id: int
    wants_helper: bool

    def __repr__(self) -> str:
        return f"{self.program.name if self.program else 'xdp_pass'}, {self.mode} mode"


@dataclass(frozen=True)
class Run:
    """What a program did to one packet: a journey of one hop.

    Attributes:
        program: its name.
        verdict: such as ``"XDP_DROP"``.
        before: the frame that went in.
        after: the frame as the program left it.
        ns: nanoseconds a run took; some 20 to 30 are the measuring itself.
        maps: for each map entry that the run changed, its value before and after.
    """

    program: str
    verdict: str
    before: bytes
    after: bytes
    ns: int = 0
    maps: Mapping[str, tuple[object, object]] = field(default_factory=dict)

    @property
    def fields(self) -> list[Field]:
        """Every header field, before and after."""
        return compare(self.before, self.after)

    @property
    def changes(self) -> list[Field]:
        """The header fields that the program changed."""
        return [one for one in self.fields if one.changed]

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": show.run_html(self), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return show.run_text(self)


class Program:
    """An XDP program, compiled by BCC and accepted by the verifier.

    Attributes:
        name: its function's name.
        source: its C.
        warnings: what clang found suspicious in it, a line each.
        maps: its BPF maps by name; ``program["icmp_packets"]`` is short for one.
        size: instructions as the kernel runs them, and bytes of machine code.
    """

    def __init__(
        self,
        name: str | Path | Program,
        source: str | None = None,
        capture: bool = False,
        expendable: bool = False,
    ) -> None:
        """Compile and load.

        Args:
            name: a program of ``bpf/`` such as ``"xdp_drop"``, or the path of a ``.c`` file, or a
                program to load once more, with empty maps.
            source: C to use instead of a file; *name* then only names it.
            capture: put ``bpf/capture.c`` around it, so that `record` sees each packet.
            expendable: this process is one that LLVM may end, as it does where it gives up.

        Raises:
            BuildError: with clang's first complaint.
            VerifierError: with the refused line and what usually mends it.
        """
        if isinstance(name, Program):
            name, source = name.name, name.source
        self.path = None if source is not None else _find(name)
        self.name = Path(name).stem
        self.source = self.path.read_text() if self.path else str(source)
        self.captures = capture
        self._places: list[Interface] = []
        sandbox.require()
        entry = self._entry()
        text = _captured(self.source, entry) if capture else self.source
        function = "capture" if capture else entry
        is_ours = self.path is not None and self.path.parent == SOURCES
        told = "" if is_ours or expendable else self._try_apart(text)
        with libbpf.captured_stderr() as said:
            try:
                self._bpf = _compiled(text, TELL_ALL if expendable else 0)
            except Exception as error:  # BCC raises nothing more particular
                self._bpf, trouble = None, error
        listing = Listing(text, function, told or said[0])
        found = remarks(listing)
        if self._bpf is None:
            raise self._build_error(listing, said[0] or str(trouble))
        self.warnings = [str(one) for one in found if not one.place.file]
        if function not in libbpf.function_names(self._bpf.module):
            raise BuildError(
                f"{self.name} has no function that XDP can call; write one that begins "
                f"int {entry}(struct xdp_md *ctx)",
                said[0],
            )
        with libbpf.captured_stderr() as said, _patient(PATIENCE) as in_time:
            try:
                self._function = self._bpf.load_func(function.encode(), BPF.XDP)
            except Exception as error:
                self._function, trouble = None, error
        if self._function is None:
            log = said[0] or str(trouble)
            if call := undeclared(found):
                raise BuildError(f"{self.name} cannot be loaded{call}", log)
            raise self._verifier_error(listing, log, in_time())
        self.fd: int = self._function.fd
        self.size = libbpf.facts(self.fd)
        self.id = self.size.id
        names = libbpf.table_names(self._bpf.module)
        hidden = CAPTURES if function == "capture" else set()
        self.maps = {t: Map(t, self._table(t)) for t in names if t not in hidden}

    def _table(self, name: str) -> Any:
        try:
            return self._bpf[name.encode()]
        except IndexError:  # bcc/table.py, of a value of another size
            raise LabError(
                f"map {name} has a copy of each value for each CPU, and BCC reads such values only "
                "in multiples of 8 bytes; make them u64"
            ) from None

    def _entry(self) -> str:
        names = re.findall(r"^int\s+(\w+)\s*\(\s*struct\s+xdp_md\b", self.source, re.MULTILINE)
        if self.name in names or not names:
            return self.name
        if len(names) == 1:
            return names[0]
        raise LabError(
            f"{self.name} has the functions {', '.join(names)}; call the one to attach {self.name}"
        )

    def _try_apart(self, text: str) -> str:
        """Compile in a child first: where LLVM gives up, it ends the process that called it.

        Returns what the child had to tell about the C, which is all that can be told.
        """
        ended, told = _told(text)
        if ended:
            listing = Listing(text, self.name, told)
            found = remarks(listing)
            if call := undeclared(found):
                raise BuildError(f"{self.name} does not compile{call}", told)
            warned = [str(one) for one in found if one.kind == "warning"]
            raise BuildError(f"{self.name} does not compile{gave_up(listing, found)}", told, warned)
        return told

    def _build_error(self, listing: Listing, log: str) -> BuildError:
        where = self.path.name if self.path else self.name
        errors = [one for one in remarks(listing) if one.kind == "error"]
        if call := undeclared(errors):
            return BuildError(f"{where} does not compile{call}", log)
        if errors:
            because = included(listing, errors[0])
            return BuildError(f"{where} does not compile: {errors[0]}{because}", log)
        reason = log.strip().splitlines()
        return BuildError(
            f"BCC could not compile {where}: {reason[-1] if reason else 'it gave no reason'}; "
            "type: labsetup/lab doctor",
            log,
        )

    def _verifier_error(self, listing: Listing, log: str, in_time: bool) -> VerifierError:
        place, words = explain(listing, log, in_time, bool(self.warnings))
        where = f"the verifier refused {self.name}{f' at {place}' if place else ''}"
        return VerifierError(f"{where}{words}", log, self.warnings)

    def __getitem__(self, name: str) -> Map:
        try:
            return self.maps[name]
        except KeyError:
            has = ", ".join(self.maps) or "none"
            raise LabError(f"{self.name} has no map {name!r}; its maps: {has}") from None

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
            LabError: if it is not an interface of the lab, or has a program of somebody else's.
        """
        if not isinstance(interface, Interface):
            given = type(interface).__name__
            raise LabError(f"attach() takes an interface such as net.server.eth0, not {given}")
        if mode not in libbpf.FLAG_MODE:
            raise LabError(f"there is no mode {mode!r}; use 'native' or 'generic'")
        ours = interface.ours
        if ours is None and interface.xdp is not None:
            raise LabError(
                f"{interface.host.name} {interface.name} already runs an XDP program that this "
                f"notebook did not attach; take it off first: "
                f"!ip -n {interface.host.name} link set {interface.name} xdp off"
            )
        if ours is not None and ours.mode != mode:
            _take_off(interface)  # an interface runs XDP in one mode at a time
        _put(interface, self.fd, Attachment(self, mode, self.id, helper and mode == "native"))
        self._places.append(interface)
        _mend_helpers(interface)

    def detach(self, interface: Interface | None = None) -> None:
        """Take the program off an interface, or off every one; the lab's xdp_pass goes with it."""
        if interface is not None and interface not in self.places:
            raise LabError(f"{self.name} is not attached to {interface.host.name} {interface.name}")
        for one in self.places if interface is None else [interface]:
            _take_off(one)
            _mend_helpers(one)

    @property
    def places(self) -> list[Interface]:
        """The interfaces that run this program now."""
        self._places = [
            one
            for one in dict.fromkeys(self._places)
            if one.host.open and one.ours is not None and one.ours.program is self
        ]
        return self._places

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
        if not (isinstance(repeat, int) and 1 <= repeat <= 10_000_000):
            raise LabError(
                f"run() takes a whole number from 1 to 10,000,000 to repeat, not {repeat}"
            )
        if unknown := set(cpus or ()) - os.sched_getaffinity(0):
            raise LabError(f"there is no CPU {min(unknown)}; cpus() lists those there are")
        raw = frame(packet)
        before = self._entries() if repeat == 1 and not cpus else {}
        together = Barrier(len(cpus or [0]), timeout=10)

        def run_on(cpu: int | None) -> tuple[int, bytes, int]:
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})  # of this thread only
                together.wait()
            return libbpf.test_run(self.fd, raw, repeat)

        try:
            if cpus:
                with ThreadPoolExecutor(len(cpus)) as threads:
                    results = list(threads.map(run_on, cpus))
            else:
                results = [run_on(None)]
        except OSError as error:
            if error.errno not in {errno.EINVAL, errno.E2BIG, errno.ENOMEM}:
                raise
            raise LabError(
                f"the kernel does not run a program on a frame of {len(raw)} bytes; "
                "it takes 14 (an Ethernet header) to 3,500 or, on newer kernels, some more"
            ) from None
        verdict, after, _ = results[0]
        none = f"{verdict}, which is no verdict: the kernel treats it as {VERDICTS[0]}"
        name = VERDICTS[verdict] if verdict < len(VERDICTS) else none
        changed = {}
        if before:
            now = self._entries()
            changed = {k: (before.get(k), v) for k, v in now.items() if before.get(k) != v}
            changed |= {k: (v, None) for k, v in before.items() if k not in now}
        ns = sum(ns for *_, ns in results) // len(results)
        return Run(self.name, name, raw, after, ns, changed)

    def _entries(self) -> dict[str, object]:
        """Every entry of the maps that are small enough to be read at each run."""
        small = [one for one in self.maps.values() if one.is_small]
        return {"": None} | {f"{m.name}[{k}]": v for m in small for k, v in m.items()}

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": show.program_html(self), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"{show.without_licence(self.source)}\n\n{self.summary}"

    @property
    def summary(self) -> str:
        """One line: size, and where it is attached."""
        places = [f"{i.host.name} {i.name} ({i.ours.mode})" for i in self.places]
        return (
            f"{self.name}: {self.size.instructions} instructions, {self.size.jited_bytes} bytes of "
            f"machine code; {'attached to ' + ', '.join(places) if places else 'not attached'}"
        )


@contextlib.contextmanager
def _patient(seconds: float) -> Iterator[Callable[[], bool]]:
    """Let the verifier work for so long; what it gives says whether that was enough.

    A signal ends its work with EAGAIN (kernel/bpf/verifier.c), whereupon libbpf and BCC try again:
    so there are several.  Only the main thread can set them; elsewhere there is no limit.
    """
    rings = 0

    def ring(*_: object) -> None:
        nonlocal rings
        rings += 1

    if threading.current_thread() is not threading.main_thread():
        yield lambda: True
        return
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.05)
    try:
        yield lambda: not rings
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _compiled(text: str, debug: int = 0) -> BPF:
    return BPF(text=text.encode(), cflags=[f"-I{SOURCES}", *WARNINGS], debug=debug)


@functools.lru_cache(maxsize=64)  # a cell is run again, an answer checked again
def _told(text: str) -> tuple[bool, str]:
    """Whether compiling ends the process that does it, and all that is said meanwhile."""
    with libbpf.captured_stderr() as said, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child only compiles
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)  # some of it goes there
            signal.signal(signal.SIGABRT, signal.SIG_DFL)  # no trace of Python's when LLVM ends
            with contextlib.suppress(Exception):  # what is merely wrong is told later
                _compiled(text, TELL_ALL)
            os._exit(0)
        _, status = os.waitpid(child, 0)
    return status != 0, said[0]


def _put(interface: Interface, fd: int, attachment: Attachment) -> None:
    flags = libbpf.FLAG_MODE[attachment.mode]
    flags |= 0 if interface.ours else libbpf.FLAG_UPDATE_IF_NOEXIST
    _set(interface, fd, flags, attachment.program.name if attachment.program else "xdp_pass")
    interface.attachment = attachment
    interface.programs.add(attachment.id)


def _take_off(interface: Interface) -> None:
    mode = interface.attachment.mode
    _set(interface, -1, libbpf.FLAG_MODE[mode], "the removal of XDP")
    interface.attachment = None


def _mend_helpers(interface: Interface) -> None:
    """See that xdp_pass helps at either end of a link if the other end wants it, and only then."""
    for end in (interface, interface.peer):
        wanted = end.peer.ours is not None and end.peer.ours.wants_helper
        if end.is_helper and not wanted:
            _take_off(end)
        elif wanted and end.xdp is None:
            fd = libbpf.load_pass()
            try:
                _put(end, fd, Attachment(None, "native", libbpf.facts(fd).id, False))
            finally:
                os.close(fd)


def _set(interface: Interface, fd: int, flags: int, what: str) -> None:
    with interface.host.inside():
        try:
            libbpf.attach(interface.name, fd, flags)
        except OSError as error:
            where = f"{interface.host.name} {interface.name}"
            raise LabError(f"the kernel refused {what} on {where}: {error.strerror}") from None


def _captured(source: str, entry: str) -> str:
    """A program's C with ``bpf/capture.c`` behind it, which calls it as an inline function."""
    inline = re.sub(rf"^int(?=\s+{entry}\s*\()", "static __always_inline int", source, flags=re.M)
    return f"{inline}\n#define CAPTURED {entry}\n{(SOURCES / 'capture.c').read_text()}"


def _find(name: str | Path) -> Path:
    path = Path(name)
    if path.suffix == ".c" or len(path.parts) > 1:
        if path.is_file():
            return path
        raise LabError(f"there is no file {path}; check the path")
    path = SOURCES / f"{name}.c"
    if path.is_file():
        return path
    is_xdp = [one for one in SOURCES.glob("*.c") if "struct xdp_md" in one.read_text()]
    has = ", ".join(sorted(source.stem for source in is_xdp))
    raise LabError(f"bpf/ has no program {name!r}; it has: {has}")
