"""Packets as bytes: what a reader writes with scapy, made into the frame that goes on a wire."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

from ..arguments import checked, shown
from ..errors import LabError
from ..network.interface import Interface

__all__ = [
    "ARP",
    "DNS",
    "DNSQR",
    "ICMP",
    "IP",
    "TCP",
    "UDP",
    "Dot1Q",
    "Ether",
    "ICMPv6EchoRequest",
    "IPv6",
    "Packet",
    "Raw",
    "frame",
    "segments",
]


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

IPPROTO_TCP = 6


def frame(packet: Packet | bytes, leaving: Interface | None = None) -> bytes:
    """The bytes of a packet from its Ethernet header on.

    Args:
        packet: bytes, or a scapy packet; one without Ether() gets that header.
        leaving: the interface where it leaves; addresses that the packet does not name are
            this one's and its peer's.
    """
    if isinstance(packet, (bytes, bytearray, memoryview)):
        return bytes(packet)
    if not isinstance(packet, Packet):
        raise LabError(f"{packet!r} is not a packet; make one such as Ether()/IP()/ICMP()")
    if isinstance(packet, TCP | UDP | ICMP):
        name = type(packet).__name__
        raise LabError(f"{name} travels in IP: put it in front, as in IP() / {name}()")
    packet = packet.copy() if isinstance(packet, Ether) else Ether() / packet.copy()
    for layer, values in DEFAULTS.items():
        if layer in packet:
            near = _near(layer, leaving) if leaving is not None else {}
            packet[layer].fields = values | near | packet[layer].fields
    return bytes(packet)


@checked
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
    if flows.dtype.names is None:
        raise LabError(f"segments() takes flows, as random_flows(9) gives them, not {shown(flows)}")
    if set(flags) - set("FSRPAUEC"):
        raise LabError(f"segments() takes TCP's flags by their letters, FSRPAUEC, not {flags!r}")
    ends = np.concatenate([flows["source"], flows["destination"]])
    if (ends[:, :12] != list(bytes(10) + b"\xff\xff")).any():
        raise LabError("segments() takes flows over IPv4, as random_flows(9) gives them, not IPv6")
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


def _near(layer: type[Packet], leaving: Interface) -> dict[str, str]:
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
    return found
