"""Frames on the wire: sent past a host's stack, and seen as tcpdump sees them.

Source: packet(7).
"""

from __future__ import annotations

import errno
import selectors
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, overload

from scapy.layers.l2 import Ether
from scapy.packet import Packet

from ..arguments import checked, whole
from ..errors import LabError, Nameable
from ..network.host import Host
from ..network.interface import Interface
from ..network.network import SO_TIMESTAMPNS, Network
from .captures import at, write
from .craft import frame

SO_RCVBUFFORCE = 33
ROOM = 64 * 2**20  # bytes of frames for each interface, until they are read
SOL_PACKET, PACKET_STATISTICS = 263, 6  # linux/if_packet.h

ETH_P_ALL = 3


@checked
def send(
    interface: Interface, packet: Packet | bytes | Sequence[Packet | bytes], count: int = 1
) -> None:
    """Put packets on the wire at an interface, past the host's own stack.

    Args:
        interface: where they leave, such as ``net.client.eth0``.
        packet: bytes, a scapy packet, or a list of either; MAC addresses that a packet does not
            name are filled in.
        count: how often, at most 1,000,000 packets in all.
    """
    whole("the count of send()", count, 1, 1_000_000)
    several: Sequence[Packet | bytes]
    several = packet if isinstance(packet, list | tuple) else [cast("Packet | bytes", packet)]
    frames = [frame(one, interface) for one in several]
    if not 1 <= len(frames) * count <= 1_000_000:
        raise LabError(f"send() takes 1 to 1,000,000 packets in all, not {len(frames) * count:,}")
    arrived, limit = _arrived(interface.peer), time.monotonic() + 0.2
    with interface.host.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
        out.bind((interface.name, 0))
        try:
            for _ in range(count):
                for raw in frames:
                    out.send(raw)
        except OSError as error:
            where = f"{interface.host.name} {interface.name}"
            if error.errno == errno.ENETDOWN:
                raise LabError(
                    f"{where} is down; type !ip -n {interface.host.name} link set "
                    f"{interface.name} up"
                ) from None
            if error.errno not in {errno.EMSGSIZE, errno.EINVAL}:
                raise LabError(f"{where} sends nothing: {error.strerror}") from None
            raise LabError(
                f"{where} does not send a frame of {len(raw)} bytes; it takes 14 to "
                f"{interface.mtu + 14:,}"
            ) from None
    # The kernel may take frames in a little later than it takes them from here.
    while _arrived(interface.peer) < arrived + len(frames) * count and time.monotonic() < limit:
        time.sleep(0.005)  # polls: nobody tells when the counters move


def _arrived(interface: Interface) -> int:
    counters = interface.counters
    return counters["rx_packets"] + counters["rx_dropped"]


@dataclass(frozen=True)
class Seen:
    """A frame as one interface saw it.

    Attributes:
        time: seconds since the epoch, by the kernel's clock.
        interface: where it was seen.
        sent: True when it left there, False when it arrived.
        packet: the frame, as scapy reads it.
    """

    time: float
    interface: Interface
    sent: bool
    packet: Packet

    def __repr__(self) -> str:
        where = f"{self.interface.host.name} {self.interface.name}"
        return f"{where} {'sent' if self.sent else 'received':8}  {self.packet.summary()}"


class Capture(Nameable, Sequence[Seen]):
    """What passes between interfaces and their hosts' stacks, as tcpdump would see it.

    A packet socket on each interface, see packet(7): the kernel buffers, so no thread is needed.

    Attributes:
        lost: frames for which the kernel had no room.
    """

    def __init__(self, interfaces: Sequence[Interface]) -> None:
        self._sockets: dict[socket.socket, Interface] = {}
        self._seen: list[Seen] = []
        self.lost = 0
        for interface in interfaces:
            with interface.host.inside():
                tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
                tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
                tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
                tap.bind((interface.name, ETH_P_ALL))
            tap.setblocking(False)
            self._sockets[tap] = interface

    def stop(self, quiet: float = 0.05, limit: float = 2) -> Capture:
        """Read what was seen, and let go.

        Args:
            quiet: stop once nothing has come for this many seconds,
            limit: and after this many in any case.
        """
        end = time.monotonic() + limit
        taken = []
        with selectors.DefaultSelector() as watched:
            for tap in self._sockets:
                watched.register(tap, selectors.EVENT_READ, tap)
            while self._sockets and time.monotonic() < end:
                ready: list[socket.socket] = [key.data for key, _ in watched.select(quiet)]
                if not ready:
                    break
                taken += [(tap, *tap.recvmsg(65535, 128)) for tap in ready]
        # By whole nanoseconds: as floats, times of our days are 240 ns apart, and a hop takes less.
        taken.sort(key=lambda one: struct.unpack("@qq", one[2][0][2]))
        for tap, data, ancillary, _, address in taken:  # scapy is slow: not while frames come in
            seconds, nanoseconds = struct.unpack("@qq", ancillary[0][2])
            sent = address[2] == socket.PACKET_OUTGOING
            stamp = seconds + nanoseconds / 1e9
            self._seen.append(Seen(stamp, self._sockets[tap], sent, Ether(data)))
        for tap in self._sockets:
            counts = tap.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
            self.lost += struct.unpack("II", counts)[1]
            tap.close()
        self._sockets = {}
        return self

    @checked
    def save(self, path: str | Path) -> None:
        """Write the frames to a pcap file, in order of time.

        Where both ends of a link were captured, it has a frame twice: as it left, as it arrived.

        Args:
            path: tcpdump and Wireshark read it.

        Raises:
            LabError: where it cannot be written, or before the block ends.
        """
        if self._sockets:
            raise LabError("this capture still goes on; save it below its block")
        packets = [seen.packet.copy() for seen in self]
        for packet, seen in zip(packets, self, strict=True):
            packet.time = seen.time
        write(path, packets)

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __len__(self) -> int:
        return len(self._seen)

    @overload
    def __getitem__(self, index: int) -> Seen: ...
    @overload
    def __getitem__(self, index: slice) -> list[Seen]: ...
    def __getitem__(self, index: int | slice) -> Seen | list[Seen]:
        return self._seen[index] if isinstance(index, slice) else at(self._seen, index, self)

    def __iter__(self) -> Iterator[Seen]:
        return iter(self._seen)

    def __repr__(self) -> str:
        if self._sockets:
            return "still capturing; what was seen is there when the block ends, or after stop()"
        lost = [f"and {self.lost} more, for which there was no room"] if self.lost else []
        return "\n".join([*map(repr, self._seen), *lost]) or "nothing was seen"


@checked
def capture(*where: Network | Host | Interface) -> Capture:
    """Start to capture on every interface of a network or a host, or on the interfaces given.

    Use it as a context manager; what was seen is there when the block ends.

    Args:
        where: networks, hosts, interfaces.
    """
    interfaces: list[Interface] = []
    for one in where:
        if isinstance(one, Interface):
            interfaces.append(one)
        elif isinstance(one, Host):
            interfaces += one.interfaces.values()
        elif isinstance(one, Network):
            interfaces += [i for host in one for i in host.interfaces.values()]
        else:
            raise LabError(
                f"capture() takes a network, hosts or interfaces, not {type(one).__name__}"
            )
    return Capture(interfaces)
