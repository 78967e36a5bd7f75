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

    The tracepoint belongs to the whole machine; `of` counts one program's events only.
    """

    def __init__(self) -> None:
        sandbox.require()
        self._bpf: BPF | None = None
        self._counts: dict[int, int] = {}

    def __enter__(self) -> Exceptions:
        with libbpf.captured_stderr() as said:
            try:
                self._bpf = BPF(text=(SOURCES / "exceptions.c").read_bytes())
            except Exception:  # BCC raises nothing more particular, and explains on stderr
                self._bpf = None
        if self._bpf is None:
            reason = (said[0].strip().splitlines() or ["no reason given"])[-1]
            raise LabError(
                f"this kernel has no tracepoint xdp:xdp_exception ({reason}); the counter "
                "xdp_drops of `counters` still counts the packets"
            )
        return self

    def __exit__(self, *error: object) -> None:
        self._read()
        if self._bpf is not None:
            self._bpf.cleanup()
            self._bpf = None

    def _read(self) -> None:
        if self._bpf is not None:
            table = self._bpf[b"exceptions"]
            self._counts = {key.value: value.value for key, value in table.items()}

    def of(self, interface: Interface) -> int:
        """How many packets the program that is now on an interface had aborted."""
        if not isinstance(interface, Interface):
            raise LabError(f"of() takes an interface such as net.server.eth0, not {interface!r}")
        self._read()
        attached = interface.xdp
        return self._counts.get(attached[2], 0) if attached else 0


@dataclass(frozen=True)
class Fate:
    """A packet that met a program, and what became of it.

    Attributes:
        time: seconds since boot, when the program took it.
        verdict: such as ``"XDP_DROP"``.
        before: the frame as it came.
        after: the frame as the program left it.
    """

    time: float
    verdict: str
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
        if not program.captures:
            raise LabError(
                f"{program.name} was loaded without its capture; type: "
                f"Program({program.name!r}, capture=True), and attach that one"
            )
        self._fates: list[Fate] = []
        self.lost = 0
        self._ring = _ring_of(program)

    def stop(self) -> Record:
        """Read what is in the rings, in order of time."""
        events, self.lost = self._ring.read()
        waiting: dict[int, tuple[float, bytes]] = {}
        for cpu, stamp, verdict, frame in events:
            if verdict == NOT_YET:
                waiting[cpu] = (stamp, frame)
            elif cpu in waiting:
                begun, before = waiting.pop(cpu)
                name = VERDICTS[verdict] if verdict < len(VERDICTS) else f"{verdict}"
                self._fates.append(Fate(begun, name, before, frame))
        self._fates.sort(key=lambda fate: fate.time)
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
        wrpcap(str(path), frames)

    def __enter__(self) -> Record:
        self._ring.read()  # what came before the block is not asked for
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __len__(self) -> int:
        return len(self._fates)

    def __getitem__(self, index):  # an int or a slice, as for a list
        return self._fates[index]

    def __iter__(self) -> Iterator[Fate]:
        return iter(self._fates)

    def __repr__(self) -> str:
        lines = [repr(fate) for fate in self] or ["no packet met the program"]
        if self.lost:
            lines.append(f"and {self.lost} that were not recorded: the ring was full")
        return "\n".join(lines)


def record(program: Program) -> Record:
    """Record every packet that a program meets; the program is loaded with ``capture=True``.

    Use it as a context manager; what was recorded is there when the block ends.
    """
    return Record(program)


NOT_YET = 0xFFFFFFFF  # bpf/capture.c
_HEADER = struct.Struct("=QII")
_RING_PAGES = 256  # a CPU; a megabyte


class _Ring:
    """The perf rings of a program with capture; BCC opens them once in its lifetime."""

    def __init__(self, bpf: BPF) -> None:
        self._bpf = bpf
        self._events: list[tuple[int, float, int, bytes]] = []
        self._lost = 0
        table = bpf[b"records"]
        table.open_perf_buffer(self._take, page_cnt=_RING_PAGES, lost_cb=self._lose)
        # At exit BCC would close rings that the kernel has closed already, and complain.
        atexit.register(table._open_key_fds.clear)

    def _take(self, cpu: int, data: int, size: int) -> None:
        raw = ctypes.string_at(data, size)
        stamp, length, verdict = _HEADER.unpack_from(raw)
        frame = raw[_HEADER.size : _HEADER.size + length]
        self._events.append((cpu, stamp / 1e9, verdict, frame))

    def _lose(self, *lost: int) -> None:
        self._lost += lost[-1]

    def read(self) -> tuple[list[tuple[int, float, int, bytes]], int]:
        """Everything since the last reading, CPU by CPU, and how many records did not fit."""
        self._bpf.perf_buffer_poll(timeout=0)
        events, lost = self._events, self._lost
        self._events, self._lost = [], 0
        return events, lost


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
    records = [
        (one, Record(one.ours.program))
        for one in interfaces
        if one.ours and one.ours.program and one.ours.program.captures
    ]
    for _, recorded in records:
        recorded.__enter__()
    with Capture(interfaces) as wire:
        send(interface, packet)
    stations: list[tuple[float, str, bool, bytes]] = []
    for seen in wire:
        what = "leaves the host" if seen.sent else "reaches the stack"
        where = f"{seen.interface.host.name} {seen.interface.name}: {what}"
        stations.append((seen.time, where, False, bytes(seen.packet)))
    boot = _since_boot()
    for one, recorded in records:
        for fate in recorded.stop():
            where = f"{one.host.name} {one.name}: {one.ours.program.name}, {fate.verdict}"
            stations.append((fate.time + boot, where, True, fate.after))
    stations.sort(key=lambda station: station[0])
    hops, last = [], b""
    for _, title, is_xdp, frame in stations:
        hops.append(Hop(title, is_xdp, last or frame, frame))
        last = frame
    return Journey(hops)


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
    """The law of conservation: every packet that arrived has exactly one fate.

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
                    "no fate: look for a verdict that could not be carried out (ethtool -S)"
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
    return Account(net)
