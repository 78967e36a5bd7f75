"""The law of conservation: every packet that arrived has exactly one fate."""

from __future__ import annotations

import ctypes
import socket
import struct
from dataclasses import dataclass
from typing import Never

from ..arguments import checked
from ..errors import LabError, Nameable
from ..network.interface import Interface
from ..network.network import Network
from ..packets.wire import ETH_P_ALL, PACKET_STATISTICS, SOL_PACKET
from .exceptions import Exceptions


@dataclass(frozen=True)
class Fates:
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


class Account(Nameable):
    """The law of conservation: in native mode, every packet that arrived has exactly one fate.

    received = passed + dropped + aborted + sent back + redirected, at each interface. Received,
    dropped, sent back and redirected are the driver's counters; passed is counted where frames
    reach the stack (a packet socket, packet(7)), aborted at the tracepoint xdp:xdp_exception.
    """

    def __init__(self, net: Network) -> None:
        self._interfaces = net.interfaces
        self._taps = {one: _Tap(one) for one in self._interfaces}
        self._exceptions = Exceptions()
        self._exceptions.__enter__()
        self._start = {one: one.counters for one in self._interfaces}

    @property
    def balances(self) -> list[Fates]:
        """One for each interface, at this moment."""
        rows = []
        for one in self._interfaces:
            if (found := one.xdp) and found[1] == "generic":
                raise LabError(
                    f"{one.host.name} {one.name} runs XDP in generic mode, of which the driver "
                    "knows nothing; account() needs native mode"
                )
            counted = one.counters - self._start[one]
            aborted, passed = self._exceptions.of(one), self._taps[one].count()
            redirected = counted["xdp_redirect"]
            if _has_cpumap(one):  # what goes to another CPU reaches this host's stack after all
                others = counted["xdp_drops"] + counted["xdp_tx"]
                redirected = max(0, min(redirected, counted["rx_packets"] - others - passed))
            rows.append(
                Fates(
                    where=f"{one.host.name} {one.name}",
                    received=counted["rx_packets"],
                    passed=passed,
                    dropped=counted["xdp_drops"] - aborted,
                    aborted=aborted,
                    sent_back=counted["xdp_tx"],
                    redirected=redirected,
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

    def __enter__(self) -> Never:
        raise LabError(
            "account() goes on until its network is gone, and needs no with: type "
            "law = account(net), send packets, and then law.check(), or law to see the sums"
        )

    def __exit__(self, *error: object) -> None:
        """Python asks for both before it calls one."""

    def __repr__(self) -> str:
        kinds = ("received", "passed", "dropped", "aborted", "sent_back", "redirected", "missing")
        balances = self.balances
        width = max(len(row.where) for row in balances)
        lines = [" " * width + "".join(f"{kind.replace('_', ' '):>12}" for kind in kinds)]
        lines += [
            f"{row.where:{width}}" + "".join(f"{getattr(row, kind):>12}" for kind in kinds)
            for row in balances
        ]
        return "\n".join(lines)


def _has_cpumap(interface: Interface) -> bool:
    ours = interface.ours
    return bool(ours and ours.program and any(m.is_cpumap for m in ours.program.maps.values()))


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


@checked
def account(net: Network) -> Account:
    """Begin to balance the packets of a network; shown at any moment, it gives the sums so far.

    Args:
        net: the network.
    """
    return Account(net)
