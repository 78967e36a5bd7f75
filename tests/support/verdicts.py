"""What each program of bpf/ decides for what a wire may bring."""

from __future__ import annotations

from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.packet import Packet

from labsetup import ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether, IPv6, Raw
from labsetup.packets.craft import frame
from labsetup.programs.sources import SOURCES
from support.models_balance import VIP, VIP6

PASS, DROP, ABORTED = "XDP_PASS", "XDP_DROP", "XDP_ABORTED"
TX, REDIRECT = "XDP_TX", "XDP_REDIRECT"
FAR, FAR6 = "198.51.100.1", "2001:db8:5::1"  # next_hops has both, see models.py
QUERY = UDP(sport=4242, dport=53) / DNS(qd=DNSQR(qname="Blocked.EXAMPLE"))
PING6 = ICMPv6EchoRequest(id=1)
WAY6 = IPv6ExtHdrRouting(addresses=["2001:db8::9"])
TOO_BIG = ICMP(type=3, code=4) / IP(src=VIP, dst="203.0.113.7") / TCP(sport=443, dport=40000)
# What a wire may bring.
PACKETS: dict[str, Packet | bytes] = {
    "ping": Ether() / IP() / ICMP(),
    "echo reply": Ether() / IP() / ICMP(type=0),
    "large ping": Ether() / IP() / ICMP() / Raw(b"x" * 1400),
    "ping with IP options": Ether() / IP(options=b"\x94\x04\0\0") / ICMP(),
    "first fragment of a ping": Ether() / IP(flags="MF") / ICMP() / Raw(b"x" * 8),
    "later fragment of a ping": Ether() / IP(frag=64, proto=1) / Raw(b"x" * 8),
    "IPv4 header and no more": Ether() / IP(proto=1),
    "IP header that lies about its length": Ether() / IP(ihl=15, proto=1) / Raw(b""),
    "ping to far away": Ether() / IP(dst=FAR) / ICMP(),
    "ping to all hosts": Ether() / IP(dst="224.0.0.1") / ICMP(),
    "ping to everyone's MAC address": Ether(dst="ff:ff:ff:ff:ff:ff") / IP(dst=FAR) / ICMP(),
    "ping at the end of its life": Ether() / IP(dst=FAR, ttl=1) / ICMP(),
    "ping cut short, padded by Ethernet": Ether() / IP(dst=FAR, len=27) / ICMP() / Raw(bytes(18)),
    "VLAN-tagged ping": Ether() / Dot1Q(vlan=5) / IP(dst=FAR) / ICMP(),
    "ping with two tags": Ether(type=0x88A8) / Dot1Q(vlan=5) / Dot1Q(vlan=6) / IP() / ICMP(),
    "ping with three tags": Ether() / Dot1Q() / Dot1Q() / Dot1Q() / IP() / ICMP(),
    "TCP": Ether() / IP() / TCP(),
    "TCP to far away": Ether() / IP(dst=FAR) / TCP(),
    "fragment to far away": Ether() / IP(dst=FAR, frag=64, proto=17) / Raw(b"x" * 8),
    "options to far away": Ether() / IP(dst=FAR, options=b"\x94\x04\0\0") / TCP(),
    "UDP": Ether() / IP() / UDP() / DNS(qd=DNSQR(qname="example.org")),
    "blocked query": Ether() / IP() / QUERY,
    "blocked query with IP options": Ether() / IP(options=b"\x01" * 4) / QUERY,
    "blocked query, VLAN-tagged": Ether() / Dot1Q(vlan=5) / IP() / QUERY,
    "blocked query's first fragment": Ether() / IP(flags="MF") / QUERY,
    "blocked query's later fragment": Ether() / IP(frag=9) / QUERY,
    "answer for a blocked name": Ether() / IP() / UDP(dport=53) / DNS(qr=1, qd=QUERY[DNS].qd),
    "blocked query over IPv6": Ether() / IPv6() / QUERY,
    "blocked query behind extensions": Ether() / IPv6() / IPv6ExtHdrHopByHop() / WAY6 / QUERY,
    "ARP": Ether() / ARP(),
    "ping over IPv6": Ether() / IPv6() / PING6,
    "VLAN-tagged ping over IPv6": Ether() / Dot1Q(vlan=5) / IPv6() / PING6,
    "first fragment over IPv6": Ether() / IPv6() / IPv6ExtHdrFragment(m=1) / PING6,
    "ping with a route over IPv6": Ether() / IPv6(dst=FAR6) / WAY6 / PING6,
    "ping to all nodes": Ether() / IPv6(dst="ff02::1") / PING6,
    "IPv6 with an extension": Ether() / IPv6(dst=FAR6) / IPv6ExtHdrHopByHop() / UDP(),
    "IPv6 to far away": Ether() / IPv6(dst=FAR6) / UDP(),
    "IPv6 from this link to far away": Ether() / IPv6(src="fe80::1", dst=FAR6) / UDP(),
    "IPv4 inside IPv6's EtherType": Ether(type=0x86DD) / IP() / ICMP(),
    "TCP to the VIP": Ether() / IP(dst=VIP) / TCP(sport=40001),
    "TCP to the VIP, for another MAC address": Ether(dst="02:00:00:00:02:01") / IP(dst=VIP) / TCP(),
    "TCP to the VIP, VLAN-tagged": Ether() / Dot1Q(vlan=5) / IP(dst=VIP) / TCP(sport=40001),
    "UDP to the VIP over IPv6": Ether() / IPv6(dst=VIP6) / UDP() / Raw(b"x" * 8),
    "fragment to the VIP": Ether() / IP(dst=VIP, frag=9, proto=17) / Raw(b"x" * 8),
    "error about a packet of the VIP": Ether() / IP(dst=VIP) / TOO_BIG,
    "Ethernet header alone": frame(Ether(type=0x0800))[:14],
    "one byte short of an IPv4 header": frame(Ether() / IP(proto=1))[:33],
    "zeros": b"\0" * 64,
    "ones": b"\xff" * 64,
}

ICMP_PACKETS = {
    "ping",
    "echo reply",
    "large ping",
    "ping with IP options",
    "first fragment of a ping",
    "later fragment of a ping",
    "IPv4 header and no more",
    "IP header that lies about its length",
    "ping to far away",
    "ping to all hosts",
    "ping to everyone's MAC address",
    "ping at the end of its life",
    "ping cut short, padded by Ethernet",
    "error about a packet of the VIP",
}

VIP_PACKETS = {
    "TCP to the VIP",
    "TCP to the VIP, VLAN-tagged",
    "UDP to the VIP over IPv6",
    "fragment to the VIP",
    "error about a packet of the VIP",
}

# Of each program: the verdict for the kinds named, and that for all others.
VERDICTS: dict[str, tuple[str, set[str], str]] = {
    "xdp_pass": (PASS, set(), PASS),
    "xdp_drop": (DROP, set(), DROP),
    "xdp_aborted": (ABORTED, set(), ABORTED),
    "drop_icmp": (DROP, ICMP_PACKETS, PASS),
    "icmp_count": (PASS, set(), PASS),
    "count_shared": (PASS, set(), PASS),
    "count_atomic": (PASS, set(), PASS),
    "count_percpu": (PASS, set(), PASS),
    "capture": (PASS, set(), PASS),
    "flow_hash": (PASS, set(), PASS),
    "mac_swap": (TX, set(PACKETS), PASS),
    # Whatever has room for its headers; tests/test_rivals.py looks at what it makes.
    "flood": (TX, {kind for kind, packet in PACKETS.items() if len(frame(packet)) >= 42}, PASS),
    "echo_reply": (
        TX,
        {
            "ping",
            "large ping",
            "ping to far away",
            "ping at the end of its life",
            "VLAN-tagged ping",
            "ping with two tags",
            "ping over IPv6",
            "VLAN-tagged ping over IPv6",
        },
        PASS,
    ),
    "lb_nat": (TX, {"TCP to the VIP", "TCP to the VIP, VLAN-tagged"}, PASS),  # port 80
    "redirect": (
        REDIRECT,
        {
            "ping to far away",
            "ping cut short, padded by Ethernet",
            "TCP to far away",
            "fragment to far away",
            "IPv6 to far away",
            "ping with a route over IPv6",
        },
        PASS,
    ),
    "dns_block": (
        DROP,
        {
            "blocked query",
            "blocked query with IP options",
            "blocked query, VLAN-tagged",
            "blocked query's first fragment",
            "blocked query over IPv6",
            "blocked query behind extensions",
        },
        PASS,
    ),
    **{
        f"lb_{way}": (TX, VIP_PACKETS, PASS)
        for way in ("random", "modulo", "xor", "rendezvous", "table", "memory")
    },
    "to_owner": (TX, VIP_PACKETS, PASS),
    "second_chance": (TX, VIP_PACKETS, PASS),
    "neighbours": (TX, set(), PASS),  # none of them comes to a made-up address
}

NO_XDP = {"exceptions", "redirect_err", "devmap_xmit", "printed"}
XDP_SOURCES = sorted(path for path in SOURCES.glob("*.c") if path.stem not in NO_XDP)
