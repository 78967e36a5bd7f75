"""Craft, send, capture and compare packets; scapy does the crafting."""

from __future__ import annotations

import errno
import logging
import selectors
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scapy.fields import ConditionalField
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

from .hosts import Host, Interface, Network
from .sandbox import LabError

# Its warnings are about the host's routes, which no packet of ours ever takes.
logging.getLogger("scapy.runtime").setLevel(logging.ERROR)

__all__ = [
    "ARP", "DNS", "DNSQR", "ICMP", "IP", "TCP", "UDP", "Capture", "Dot1Q", "Ether",
    "ICMPv6EchoRequest", "IPv6", "Raw", "capture", "segments", "send",
]  # fmt: skip

# Where a packet does not say from whom and to whom: from the first host of two_hosts() to the
# second, so that scapy looks up no route and asks nobody for an address.
FIRST_MAC, SECOND_MAC = "02:00:00:00:01:00", "02:00:00:00:02:00"
DEFAULTS: dict[type[Packet], dict[str, object]] = {
    Ether: {"src": FIRST_MAC, "dst": SECOND_MAC},
    ARP: {"hwsrc": FIRST_MAC, "psrc": "192.0.2.1", "pdst": "192.0.2.2"},
    IP: {"src": "192.0.2.1", "dst": "192.0.2.2"},
    IPv6: {"src": "2001:db8::1", "dst": "2001:db8::2"},
    ICMP: {"id": 1},  # with an id of 0 the reply would be all zeros, a case of its own
}

SO_RCVBUFFORCE = 33
ROOM = 64 * 2**20  # bytes of frames for each interface, until they are read
SOL_PACKET, PACKET_STATISTICS = 263, 6  # linux/if_packet.h
SO_TIMESTAMPNS = 35  # asm-generic/socket.h; the stamp's type in recvmsg(2) has the same number
ETH_P_ALL = 3
IPPROTO_TCP = 6

# The kernel stamps packets on arrival only while some socket asks for it, and needs a moment to
# begin; until then a packet is stamped when it is read, which would upset the order.
_stamping = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
_stamping.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def frame(packet: Packet | bytes, leaving: Interface | None = None) -> bytes:
    """The bytes of a packet from its Ethernet header on.

    Args:
        packet: bytes, or a scapy packet; one without Ether() gets that header.
        leaving: the interface where it leaves; addresses that the packet does not name are
            this one's and its peer's.
    """
    if isinstance(packet, bytes):
        return packet
    if not isinstance(packet, Packet):
        raise LabError(f"{packet!r} is not a packet; make one such as Ether()/IP()/ICMP()")
    if isinstance(packet, (TCP, UDP, ICMP)):
        name = type(packet).__name__
        raise LabError(f"{name} travels in IP: put it in front, as in IP() / {name}()")
    packet = packet.copy() if isinstance(packet, Ether) else Ether() / packet.copy()
    for layer, values in DEFAULTS.items():
        if layer in packet:
            near = _near(layer, leaving) if leaving is not None else {}
            packet[layer].fields = values | near | packet[layer].fields
    return bytes(packet)


def segments(
    flows: NDArray[np.void], leaving: Interface, to: Interface, flags: str = "S"
) -> list[bytes]:
    """An empty TCP segment of each flow, as frames for `send`.

    Args:
        flows: five-tuples over IPv4, rows of `hashing.FIVE_TUPLE`.
        leaving: the interface that sends them.
        to: the interface that they are for, on the same link or switch.
        flags: TCP's, by scapy's letters; S begins a connection.
    """
    start = bytes(Ether(src=leaving.mac, dst=to.mac) / IP(chksum=0) / TCP(flags=flags, chksum=0))
    frames = np.tile(np.frombuffer(start, np.uint8), (len(flows), 1))
    frames[:, 26:30], frames[:, 30:34] = flows["source"][:, 12:], flows["destination"][:, 12:]
    frames[:, 34:38] = np.ascontiguousarray(flows["ports"]).view(np.uint8).reshape(-1, 4)
    words = frames[:, 14:].view(">u2").astype(np.uint32)
    addresses = words[:, 6:10].sum(axis=1)
    tcp = addresses + IPPROTO_TCP + 20 + words[:, 10:].sum(axis=1)  # with the pseudo-header
    for place, total in ((24, words[:, :10].sum(axis=1)), (50, tcp)):
        check = 0xFFFF - total % 0xFFFF  # a sum with the carries added in, turned over (RFC 1071)
        frames[:, place : place + 2] = np.stack([check >> 8, check & 0xFF], axis=1)
    return [frame.tobytes() for frame in frames]


def _near(layer: type[Packet], leaving: Interface) -> dict[str, object]:
    """A header's addresses for a packet from an interface to its peer."""
    ends = {"src": leaving, "dst": leaving.peer}
    if layer is Ether:
        return {name: end.mac for name, end in ends.items()}
    version = {IP: 4, ARP: 4, IPv6: 6}.get(layer)
    found = {
        name: str(address.ip)
        for name, end in ends.items()
        for address in reversed(end.addresses)
        if address.version == version
    }
    if layer is ARP:
        return {"hwsrc": leaving.mac} | {f"p{name}": address for name, address in found.items()}
    return dict(found)


@dataclass(frozen=True)
class Field:
    """A header field of a frame, and what it became.

    Attributes:
        layer: the header, by scapy's name.
        name: the field, likewise.
        before: its value in words.
        after: its value in the later frame; the same where nothing changed.
    """

    layer: str
    name: str
    before: str
    after: str

    @property
    def changed(self) -> bool:
        """Whether the two frames differ here."""
        return self.before != self.after

    def __repr__(self) -> str:
        return f"{self.layer} {self.name}: {self.before} → {self.after}"


def compare(before: bytes, after: bytes) -> list[Field]:
    """Two frames, field by field; where their headers are not the same ones, as a whole.

    A checksum is followed by whether it is right; one that cannot be checked (of a fragment, or
    in a frame that was cut off) is not.
    """
    old, new = Ether(before), Ether(after)
    if old.layers() != new.layers():
        return [Field("frame", "headers", *(_names(p.layers()) for p in (old, new)))]
    fields = []
    for number, layer in enumerate(old.layers()):
        one = _layer(old, number)
        for field in one.fields_desc:
            if isinstance(field, ConditionalField) and not field._evalcond(one):
                continue
            shown = [_words(whole, number, field) for whole in (old, new)]
            if shown not in (["", ""], ["[]", "[]"]):  # flags not set, no options
                fields.append(Field(layer.__name__, field.name, *shown))
    if before != after and not any(field.changed for field in fields):
        fields.append(Field("frame", "bytes", before.hex(), after.hex()))
    return fields


def _layer(whole: Packet, number: int) -> Packet:
    """A header by its place; scapy's own getlayer() counts each IP option as one."""
    for _ in range(number):
        whole = whole.payload
    return whole


def _words(whole: Packet, number: int, field: Any) -> str:
    layer = _layer(whole, number)
    value = layer.getfieldval(field.name)
    words = value.hex() if isinstance(value, bytes) else str(field.i2repr(layer, value)).strip("'")
    if field.name in CHECKSUMS and value is not None:
        words += {True: " (right)", False: " (wrong)", None: ""}[
            _is_right(whole, number, field.name)
        ]
    return words


CHECKSUMS = {"chksum", "cksum"}


def _is_right(whole: Packet, number: int, name: str) -> bool | None:
    """Whether a checksum is what scapy computes; None where it cannot be known."""
    layer = _layer(whole, number)
    if not isinstance(layer, IP):
        ip = whole.getlayer(IP)
        fragment = (ip is not None and (ip.frag or ip.flags.MF)) or IPv6ExtHdrFragment in whole
        length = ip.len if ip is not None else whole[IPv6].plen + 40 if IPv6 in whole else 0
        network = ip if ip is not None else whole.getlayer(IPv6)
        if network is None or fragment or len(bytes(network)) < length:
            return None
        if isinstance(layer, UDP) and layer.chksum == 0:
            return None  # the sender made none
    fresh = whole.copy()
    setattr(_layer(fresh, number), name, None)
    again = _layer(Ether(bytes(fresh)), number)
    return isinstance(again, type(layer)) and again.getfieldval(name) == layer.getfieldval(name)


def _names(layers: Sequence[type[Packet]]) -> str:
    return " / ".join(layer.__name__ for layer in layers)


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
    if not isinstance(interface, Interface):
        raise LabError(
            f"send() takes an interface such as net.client.eth0, not {type(interface).__name__}"
        )
    if not (isinstance(count, int) and 1 <= count <= 1_000_000):
        raise LabError(f"send() takes a count from 1 to 1,000,000, not {count}")
    several = packet if isinstance(packet, (list, tuple)) else [packet]
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
            if error.errno not in {errno.EMSGSIZE, errno.EINVAL}:
                raise
            raise LabError(
                f"{interface.host.name} {interface.name} does not send a frame of {len(raw)} "
                "bytes; it takes 14 to 1,514"
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


class Capture(Sequence[Seen]):
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
                watched.register(tap, selectors.EVENT_READ)
            while self._sockets and time.monotonic() < end:
                ready = [key.fileobj for key, _ in watched.select(quiet)]
                if not ready:
                    break
                taken += [(tap, *tap.recvmsg(65535, 128)) for tap in ready]
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
        self._seen.sort(key=lambda seen: seen.time)
        return self

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __len__(self) -> int:
        return len(self._seen)

    def __getitem__(self, index):  # an int or a slice, as for a list
        return self._seen[index]

    def __iter__(self) -> Iterator[Seen]:
        return iter(self._seen)

    def __repr__(self) -> str:
        if self._sockets:
            return "still capturing; what was seen is there when the block ends"
        lost = [f"and {self.lost} more, for which there was no room"] if self.lost else []
        return "\n".join([*map(repr, self._seen), *lost]) or "nothing was seen"


def capture(*where: Network | Host | Interface) -> Capture:
    """Start to capture on every interface of a network or a host, or on the interfaces given.

    Use it as a context manager; what was seen is there when the block ends.
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
