"""What becomes of packets where tcpdump does not look: in and around XDP programs."""

from __future__ import annotations

import atexit
import ctypes
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bcc import BPF
from scapy.layers.l2 import Ether
from scapy.packet import Packet
from scapy.utils import wrpcap

from . import libbpf, sandbox, show
from .hosts import Interface, Network
from .packets import (
    ETH_P_ALL,
    PACKET_STATISTICS,
    SOL_PACKET,
    Capture,
    Field,
    compare,
    send,
)  # fmt: skip
from .program import SOURCES, VERDICTS, Program
from .sandbox import LabError


class Exceptions:
    """Counts what programs leave at the tracepoint xdp:xdp_exception, while its block runs.

    The tracepoint belongs to the whole machine; `of` counts the programs of one interface only.
    """

    _tracer: BPF | None = None  # one for the life of the notebook

    def __init__(self) -> None:
        sandbox.require()
        self._start: dict[int, int] = {}
        self._end: dict[int, int] | None = None

    def __enter__(self) -> Exceptions:
        if Exceptions._tracer is None:
            Exceptions._tracer = _load_tracer()
        self._start, self._end = self._counts(), None
        return self

    def __exit__(self, *error: object) -> None:
        self._end = self._counts()

    @staticmethod
    def _counts() -> dict[int, int]:
        if Exceptions._tracer is None:
            return {}
        return {key.value: value.value for key, value in Exceptions._tracer[b"exceptions"].items()}

    def of(self, interface: Interface) -> int:
        """How many packets had aborted at an interface, under the programs that it has had."""
        if not isinstance(interface, Interface):
            raise LabError(
                f"of() takes an interface such as net.server.eth0, not {type(interface).__name__}"
            )
        now = self._counts() if self._end is None else self._end
        attached = interface.xdp
        programs = interface.programs | ({attached[2]} if attached else set())
        return sum(now.get(one, 0) - self._start.get(one, 0) for one in programs)


def _load_tracer() -> BPF:
    with libbpf.captured_stderr() as said:
        try:
            return BPF(text=(SOURCES / "exceptions.c").read_bytes())
        except Exception as error:  # BCC raises nothing more particular, and explains on stderr
            trouble = error
    reason = (said[0].strip().splitlines() or [str(trouble)])[-1]
    raise LabError(
        f"this kernel has no tracepoint xdp:xdp_exception ({reason}); the counter xdp_drops of "
        "`counters` still counts the packets"
    )


@dataclass(frozen=True)
class Fate:
    """A packet that met a program, and what became of it.

    Attributes:
        time: seconds since boot, when the program took it.
        verdict: such as ``"XDP_DROP"``.
        interface: where it came in, by its number on its host.
        before: the frame as it came.
        after: the frame as the program left it.
    """

    time: float
    verdict: str
    interface: int
    before: bytes
    after: bytes

    @property
    def packet(self) -> Packet:
        """The frame as it came, as scapy reads it."""
        return Ether(self.before)

    def __repr__(self) -> str:
        return f"{self.verdict:12}  {self.packet.summary()}"


class Record(Sequence[Fate]):
    """Every packet that a program met while the block ran, dropped ones included.

    Attributes:
        lost: packets that were met and not recorded, because the ring was full.
    """

    def __init__(self, program: Program) -> None:
        if not isinstance(program, Program):
            raise LabError(f"record() takes a program, not {type(program).__name__}")
        if not program.captures:
            name = repr(program.name) if program.path else program.name
            raise LabError(
                f"{program.name} was loaded without its capture; type: "
                f"Program({name}, capture=True), and attach that one"
            )
        self.program = program
        self._fates: list[Fate] = []
        self.lost = 0
        self._ring = _ring_of(program)

    def start(self) -> Record:
        """Record from now on."""
        self._begun = self._ring.begin(self)
        return self

    def stop(self) -> Record:
        """Read what is in the rings, in order of time."""
        events, met = self._ring.end(self)
        waiting: dict[int, _Event] = {}
        for event in events:
            if event.verdict == NOT_YET:
                waiting[event.cpu] = event
            elif event.cpu in waiting:
                begun = waiting.pop(event.cpu)
                known = event.verdict < len(VERDICTS)
                name = VERDICTS[event.verdict] if known else f"{event.verdict}"
                fate = Fate(begun.time, name, begun.interface, begun.frame, event.frame)
                self._fates.append(fate)
        self._fates.sort(key=lambda fate: fate.time)
        self.lost = met - self._begun - len(self._fates)
        return self

    def save(self, path: str | Path, after: bool = False) -> None:
        """Write the frames to a pcap file, as they came, or as they were left.

        Args:
            path: tcpdump and Wireshark read it.
            after: as the program left them.
        """
        frames = [Ether(fate.after if after else fate.before) for fate in self]
        for frame, fate in zip(frames, self, strict=True):
            frame.time = fate.time + _since_boot()
        try:
            wrpcap(str(path), frames)
        except OSError as error:
            raise LabError(f"{path} cannot be written: {error.strerror}") from None

    def __enter__(self) -> Record:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __hash__(self) -> int:
        return id(self)

    def __len__(self) -> int:
        return len(self._fates)

    def __getitem__(self, index):  # an int or a slice, as for a list
        return self._fates[index]

    def __iter__(self) -> Iterator[Fate]:
        return iter(self._fates)

    def __repr__(self) -> str:
        nowhere = "" if self.program.places else "; it is attached nowhere"
        lines = [repr(fate) for fate in self]
        if self.lost:
            lines.append(f"and {self.lost} packets for which the ring had no room")
        lines = lines or [f"no packet met the program{nowhere}"]
        return "\n".join(lines)


def record(program: Program) -> Record:
    """Record every packet that a program meets; the program is loaded with ``capture=True``.

    Use it as a context manager; what was recorded is there when the block ends.
    """
    return Record(program)


NOT_YET = 0xFFFFFFFF  # bpf/capture.c
_HEADER = struct.Struct("=QIIII")
_RING_PAGES = 256  # a CPU; a megabyte


class _Event(NamedTuple):
    cpu: int
    time: float
    interface: int
    verdict: int
    frame: bytes


class _Ring:
    """The perf rings of a program with capture; BCC opens them once in its lifetime."""

    def __init__(self, bpf: BPF) -> None:
        self._bpf = bpf
        self._events: dict[Record, list[_Event]] = {}  # for each record that is going on
        table = bpf[b"records"]
        table.open_perf_buffer(self._take, page_cnt=_RING_PAGES, lost_cb=self._lose)
        # At exit BCC would close rings that the kernel has closed already, and complain.
        atexit.register(table._open_key_fds.clear)

    def _take(self, cpu: int, data: int, size: int) -> None:
        raw = ctypes.string_at(data, size)
        stamp, interface, length, verdict, _ = _HEADER.unpack_from(raw)
        frame = raw[_HEADER.size : _HEADER.size + length]
        for events in self._events.values():
            events.append(_Event(cpu, stamp / 1e9, interface, verdict, frame))

    def _lose(self, *lost: int) -> None:
        """The program counts for itself: the kernel tells of a loss only with the next record."""

    def begin(self, record: Record) -> int:
        """Collect for a record from now on; returns how many packets there were before."""
        self._bpf.perf_buffer_poll(timeout=0)
        self._events[record] = []
        return self._met()

    def end(self, record: Record) -> tuple[list[_Event], int]:
        """What was collected, and how many packets there have been."""
        self._bpf.perf_buffer_poll(timeout=0)
        return self._events.pop(record, []), self._met()

    def _met(self) -> int:
        return sum(self._bpf[b"met"][ctypes.c_int(0)])


_rings: dict[Program, _Ring] = {}


def _ring_of(program: Program) -> _Ring:
    if program not in _rings:
        _rings[program] = _Ring(program._bpf)
    return _rings[program]


def _since_boot() -> float:
    """What turns seconds since boot, the clock of BPF programs, into seconds since the epoch."""
    return time.time() - time.monotonic()


@dataclass(frozen=True)
class Hop:
    """A station of a packet's way.

    Attributes:
        title: where, and what happened.
        is_xdp: at an XDP program, not on the wire.
        before: the frame at the station before.
        after: the frame here.
    """

    title: str
    is_xdp: bool
    before: bytes
    after: bytes

    @property
    def fields(self) -> list[Field]:
        """Every header field, with what it was one station before."""
        return compare(self.before, self.after)


class Journey:
    """The way of one packet through a network, and of what it caused there."""

    def __init__(self, hops: list[Hop]) -> None:
        self.hops = hops

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": show.journey_html(self), "text/plain": show.journey_text(self)}

    def __repr__(self) -> str:
        return show.journey_text(self)


def journey(net: Network, interface: Interface, packet: Packet | bytes) -> Journey:
    """Send one packet from an interface and follow it through the network.

    Programs that were loaded with ``capture=True`` show what they did; others do not.

    Args:
        net: the network.
        interface: where the packet leaves, such as ``net.client.eth0``.
        packet: scapy packet or bytes, as for `send`.
    """
    interfaces = [one for host in net for one in host.interfaces.values()]
    places = {one: one.ours.program for one in interfaces if one.ours and one.ours.program}
    records = [Record(p).start() for p in dict.fromkeys(places.values()) if p.captures]
    with Capture(interfaces) as wire:
        send(interface, packet)
    stations: list[tuple[float, str, bool, bytes]] = []
    for seen in wire:
        what = "leaves the host" if seen.sent else "reaches the stack"
        where = f"{seen.interface.host.name} {seen.interface.name}: {what}"
        stations.append((seen.time, where, False, bytes(seen.packet)))
    boot = _since_boot()
    for recorded in records:
        for fate in recorded.stop():
            one = _where(fate, [i for i in places if places[i] is recorded.program])
            where = f"{one.host.name} {one.name}: {recorded.program.name}, {fate.verdict}"
            stations.append((fate.time + boot, where, True, fate.after))
    stations.sort(key=lambda station: station[0])
    hops, last = [], b""
    for _, title, is_xdp, frame in stations:
        hops.append(Hop(title, is_xdp, last or frame, frame))
        last = frame
    return Journey(hops)


def _where(fate: Fate, places: Sequence[Interface]) -> Interface:
    """Which of its program's interfaces a packet came in by; numbers repeat from host to host."""
    numbered = [one for one in places if one.index == fate.interface]
    addressed = [one for one in numbered if fate.packet.dst == one.mac]
    return (addressed or numbered)[0]


@dataclass(frozen=True)
class Balance:
    """What came in at an interface, and what became of it."""

    where: str
    received: int
    passed: int
    dropped: int
    aborted: int
    sent_back: int
    redirected: int

    @property
    def missing(self) -> int:
        """Packets without a fate."""
        known = self.passed + self.dropped + self.aborted + self.sent_back + self.redirected
        return self.received - known


class Account:
    """The law of conservation: in native mode, every packet that arrived has exactly one fate.

    received = passed + dropped + aborted + sent back + redirected, at each interface. Received,
    dropped, sent back and redirected are the driver's counters; passed is counted where frames
    reach the stack (a packet socket, packet(7)), aborted at the tracepoint xdp:xdp_exception.
    """

    def __init__(self, net: Network) -> None:
        self._interfaces = [one for host in net for one in host.interfaces.values()]
        self._taps = {one: _Tap(one) for one in self._interfaces}
        self._exceptions = Exceptions()
        self._exceptions.__enter__()
        self._start = {one: one.counters for one in self._interfaces}

    @property
    def balances(self) -> list[Balance]:
        """One for each interface, at this moment."""
        rows = []
        for one in self._interfaces:
            if (found := one.xdp) and found[1] == "generic":
                raise LabError(
                    f"{one.host.name} {one.name} runs XDP in generic mode, of which the driver "
                    "knows nothing; account() needs native mode"
                )
            counted = one.counters - self._start[one]
            aborted = self._exceptions.of(one)
            rows.append(
                Balance(
                    where=f"{one.host.name} {one.name}",
                    received=counted["rx_packets"],
                    passed=self._taps[one].count(),
                    dropped=counted["xdp_drops"] - aborted,
                    aborted=aborted,
                    sent_back=counted["xdp_tx"],
                    redirected=counted["xdp_redirect"],
                )
            )
        return rows

    def check(self) -> None:
        """Raise LabError if a packet is without a fate."""
        for row in self.balances:
            if row.missing:
                raise LabError(
                    f"{row.where} received {row.received} packets, and {row.missing} of them have "
                    "no fate: look for a verdict that could not be carried out, in the driver's "
                    "counters"
                )

    def __repr__(self) -> str:
        return show.account_text(self.balances)


class _Tap:
    """Counts the frames that reach a host's stack at an interface."""

    def __init__(self, interface: Interface) -> None:
        with interface.host.inside():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            instructions = struct.pack("HBBI" * 4, *INCOMING_ONLY)
            buffer = ctypes.create_string_buffer(instructions)
            fprog = struct.pack("HL", 4, ctypes.addressof(buffer))
            self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)
            self._socket.bind((interface.name, ETH_P_ALL))
        self._count = 0

    def count(self) -> int:
        """Frames so far; the kernel counts those too that this socket has no room for."""
        packets, _ = struct.unpack("II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self._count += packets
        return self._count


SO_ATTACH_FILTER = 26  # asm-generic/socket.h
# Classic BPF, linux/filter.h: load the packet type; if it is 4 (outgoing) take nothing, else all.
INCOMING_ONLY = (0x20, 0, 0, 0xFFFFF004, 0x15, 0, 1, 4, 0x06, 0, 0, 0, 0x06, 0, 0, 1)


def account(net: Network) -> Account:
    """Begin to balance the packets of a network; shown at any moment, it gives the sums so far."""
    if not isinstance(net, Network):
        raise LabError(f"account() takes a network, not {type(net).__name__}")
    return Account(net)
