"""A router in XDP, and the stack's own forwarding beside it: the same packets come out.

Each packet crosses the network twice, first forwarded by the stack, then with the answer at middle
eth0.  What must be forwarded comes first, then what is the stack's.  Where packets of the stack's
own come back (ICMP errors), all but their number is compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from scapy.layers.inet import IPOption_RR
from scapy.packet import Packet

from labsetup import ARP, ICMP, IP, UDP, Ether, LabError, Program, capture, send
from labsetup.network.network import Network
from labsetup.packets.craft import frame
from labsetup.packets.fields import fields_of
from labsetup.practice.checking import Wrong


@dataclass(frozen=True)
class Case:
    """A packet that crosses twice.

    Attributes:
        what: in words.
        packet: what the client sends.
        forwards: whether the program is to forward it, not the stack.
        think: the thought where it goes another way.
    """

    what: str
    packet: Packet
    forwards: bool
    think: str


class Out(NamedTuple):
    """A frame that came out, and where."""

    where: str
    raw: bytes


OWN = {"192.0.2.2", "192.0.2.65", "192.0.2.129"}  # middle's addresses


def to(address: str, ttl: int = 64, size: int = 40, **fields: Any) -> Packet:
    """An echo reply, to which nobody answers."""
    return IP(dst=address, ttl=ttl, **fields) / ICMP(type=0, id=5) / bytes(size)


ASK = (
    "Does the lookup succeed? It wants to know the family, both addresses, the length in host "
    "byte order, and where the packet came in; and its 0 is success."
)
NEXT = "The route leads through a gateway. Whose MAC address belongs on that link?"
LONGER = "Two routes fit, and the kernel knows which is the better. Who picked yours?"
OUT = "Which interface does way.ifindex name after the lookup, and which before?"
LAST = "With a TTL of 2 it has one more hop to go."
EXPIRED = "Its time is up: only the stack can say so. And it must come there as it was."
LARGE = "It does not fit the next link. What would have told the lookup so?"
OPTIONS = "The stack reads IP options, and may write there. Your program does not."
NEIGHBOUR = "Nobody knows its MAC address yet. The stack asks for it, if it gets the packet."
OURS = "It is for middle itself."
OTHER = "It is not IPv4."
SENT = (
    "It came out nowhere, and the kernel redirected nothing. bpf_redirect() only prepares: what "
    "becomes of the value that it gives back?"
)
# What a packet that was forwarded, to the right place, still has from before, the first that fits.
STILL = (
    ("IP ttl", "A router counts the hop. Which field says how many are left?"),
    ("IP chksum", "The header has changed since somebody added it up."),
    (
        "Ether src",
        "Each link has MAC addresses of its own. Who sends on the next one, and to whom?",
    ),
    (
        "Ether dst",
        "Each link has MAC addresses of its own. Who sends on the next one, and to whom?",
    ),
)

CASES = [
    Case("a packet to s1", to("192.0.2.66"), True, ASK),
    Case("a packet to s2", to("192.0.2.130"), True, OUT),
    Case("a packet to 198.51.100.7, behind s1", to("198.51.100.7"), True, NEXT),
    Case("a packet to 198.51.100.200, behind s2", to("198.51.100.200"), True, LONGER),
    Case("UDP to s1", IP(dst="192.0.2.66") / UDP(dport=9) / bytes(8), True, ASK),
    Case("a packet that goes back where it came from", to("198.18.0.1"), True, OUT),
    Case("a packet with a TTL of 2", to("192.0.2.66", ttl=2), True, LAST),
    Case("a packet of 1,000 bytes to s1", to("192.0.2.66", size=972), True, LARGE),
    Case("a packet with a TTL of 1", to("192.0.2.66", ttl=1), False, EXPIRED),
    Case("a ping for middle", IP(dst="192.0.2.2") / ICMP(id=5), False, OURS),
    Case("1,001 bytes to s1, not to be cut", to("192.0.2.66", size=973, flags=2), False, LARGE),
    Case("1,300 bytes to s1, which may be cut", to("192.0.2.66", size=1272), False, LARGE),
    Case(
        "a packet that records its route",
        to("192.0.2.66", options=[IPOption_RR(length=7, routers=["0.0.0.0"])]),
        False,
        OPTIONS,
    ),
    Case("a packet to 192.0.2.70, whom nobody asked yet", to("192.0.2.70"), False, NEIGHBOUR),
    Case("ARP", ARP(pdst="192.0.2.2"), False, OTHER),
]


def network() -> Network:
    """Three ways out of middle, and routes of several kinds."""
    net = Network(
        [
            ("client eth0 192.0.2.1/26", "middle eth0 192.0.2.2/26"),
            ("middle eth1 192.0.2.65/26", "s1 eth0 192.0.2.66/26"),
            ("middle eth2 192.0.2.129/26", "s2 eth0 192.0.2.130/26"),
        ]
    )
    for command in (
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.icmp_ratelimit=0",
        "sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0",
        "ip link set eth1 mtu 1000",
        "ip route add 198.51.100.0/24 via 192.0.2.66",
        "ip route add 198.51.100.128/25 via 192.0.2.130",
        "ip route add 198.18.0.0/24 via 192.0.2.1",
        *(
            f"ip neigh replace {end.addresses[0].ip} lladdr {end.mac} dev {end.peer.name}"
            for end in (net.client.eth0, net.s1.eth0, net.s2.eth0)
        ),
    ):
        net.middle.run(command)
    for way in (net.middle.eth1, net.middle.eth2):
        Program("xdp_pass").attach(way)  # and so at its peer, which must run XDP
    return net


def come_out(net: Network, packet: Packet) -> list[Out]:
    """What comes to the other hosts of one packet."""
    with capture(net.client, net.s1, net.s2) as wire:
        send(net.client.eth0, packet)
    net.middle.run("ip neigh del 192.0.2.70 dev eth1")  # or it asks on while the next one crosses
    return sorted(
        Out(f"{seen.interface.host.name} {seen.interface.name}", alike(seen.packet))
        for seen in wire
        if not seen.sent
    )


def alike(packet: Packet) -> bytes:
    """A frame; of one that middle's stack made, without the number that it gave it."""
    if IP in packet and packet[IP].src in OWN:
        packet = packet.copy()
        packet[IP].id, packet[IP].chksum = 0, 0
    return frame(packet)


def told(outs: list[Out]) -> str:
    """What came out, in words."""
    each = [f"at {out.where} {Ether(out.raw).summary()}, {len(out.raw)} bytes" for out in outs]
    return "; ".join(each) or "nothing"


def check(program: Program) -> None:
    net = network()
    wanted = [come_out(net, case.packet) for case in CASES]
    if silent := [case.what for case, outs in zip(CASES, wanted, strict=True) if not outs]:
        raise LabError(f"the stack itself lets nothing out of {silent[0]}; run the cell again")
    program.attach(net.middle.eth0)
    for case, outs in zip(CASES, wanted, strict=True):
        before = net.middle.eth0.counters
        came = come_out(net, case.packet)
        redirected = (net.middle.eth0.counters - before)["xdp_redirect"]
        if came != outs:
            differs = []
            if len(came) == len(outs) == 1 and came[0].where == outs[0].where:
                pairs = fields_of(outs[0].raw, came[0].raw)
                differs = [field for field in pairs if field.changed]
            think = _thought(case, came, redirected, [f"{one.layer} {one.name}" for one in differs])
            raise Wrong(case.what, told(outs), told(came), think, differs)
        if case.forwards and not redirected:
            raise Wrong(case.what, "XDP forwarded it", "the stack forwarded it", case.think)


def _thought(case: Case, came: list[Out], redirected: int, differs: list[str]) -> str:
    """What to think of, where a packet came out as another one, or not at all."""
    if not case.forwards:
        return case.think
    if not came and not redirected:
        return SENT
    if case.think == NEXT:  # which says more of the addresses
        return NEXT
    return next((think for name, think in STILL if name in differs), case.think)
