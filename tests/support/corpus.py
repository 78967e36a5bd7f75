"""Packets of every kind that a program may meet, as scapy makes them."""

from __future__ import annotations

from functools import reduce
from itertools import chain
from operator import truediv
from typing import Any

from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IPOption_Router_Alert, IPOption_SSRR
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NS,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    RouterAlert,
)
from scapy.layers.ipsec import AH
from scapy.packet import Packet

from labsetup import ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether, IPv6, Raw
from labsetup.packets.craft import frame
from support import models_balance as balance
from support.models import BLOCKED, NEXT_HOPS


def _ping6(**fields: Any) -> Packet:
    return ICMPv6EchoRequest(id=0x1234, seq=1, **fields)


def _query(name: str, **fields: Any) -> Packet:
    return UDP(sport=40000, dport=53) / DNS(id=7, qd=DNSQR(qname=name), **fields)


def _extensions(kind: int) -> dict[str, Packet]:
    route = IPv6ExtHdrRouting(addresses=["2001:db8::9"], segleft=0)
    return {
        "hop-by-hop": IPv6ExtHdrHopByHop(options=[RouterAlert()]),
        "routing": route,
        "destination": IPv6ExtHdrDestOpt(),
        "atomic fragment": IPv6ExtHdrFragment(id=1),
        "first fragment": IPv6ExtHdrFragment(m=1, id=1),
        "later fragment": IPv6ExtHdrFragment(offset=8, id=1),
        "authentication": AH(nh=kind, spi=1, seq=1, icv=b"\x5a" * 12, payloadlen=4),
        "several": IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / route / IPv6ExtHdrFragment(),
        "six": reduce(truediv, [IPv6ExtHdrHopByHop(), *[IPv6ExtHdrDestOpt()] * 5]),
        "seven": reduce(truediv, [IPv6ExtHdrHopByHop(), *[IPv6ExtHdrDestOpt()] * 6]),
    }


def corpus() -> list[bytes]:
    """Packets of every kind that a program may meet, as scapy makes them."""
    ping = ICMP(id=0x1234, seq=1)
    names = [".".join(label.decode() for label in labels) for labels in BLOCKED]
    names += [names[0].upper(), "ZEBRA.eXample", "example.org", "blocked.example.org", ""]
    names += ["x" * 63, ".".join(["long"] * 20), "@{.example", "`[.example", "blockec.example"]
    data: list[Packet] = [
        ping / Raw(b"ping" * 12),
        ICMP(),
        ICMP(type=0),
        ICMP(type=13),
        ICMP(code=1),
    ]
    data += [_query(name) for name in names]
    data += [_query(names[0], qr=1), _query(names[0], rd=0, aa=1)]
    data += [UDP(dport=5353) / Raw(b"\0" * 30)]
    data += [UDP(dport=53) / DNS(qd=[DNSQR(qname=names[0])] * 2), UDP(dport=53) / DNS(qd=[])]
    data += [_query(names[0]) / Raw(b"\0" * 8)]
    data += [TCP(dport=53) / Raw(b"\0" * 40), TCP(flags="S")]
    data6 = [ICMPv6EchoReply(), ICMPv6ND_NS(tgt="2001:db8::2"), _ping6(data=b"ping" * 12), _ping6()]
    data6 += [one for one in data if ICMP not in one]
    addresses = [None, *NEXT_HOPS, "255.255.255.255", "127.0.0.1", "0.0.0.1", "240.1.1.1"]
    addresses += ["ff02::1", "::1", "::", "::ffff:198.51.100.1", "fe80::1"]
    options = [b"\x01\0\0\0", IPOption_Router_Alert(), IPOption_SSRR(routers=["192.0.2.9"])]
    tags = [Dot1Q(vlan=5), Dot1Q(vlan=5) / Dot1Q(vlan=6), Dot1Q() / Dot1Q() / Dot1Q()]
    outer = [Ether(), Ether(dst="ff:ff:ff:ff:ff:ff"), Ether(src="01:00:00:00:00:00")]

    ip, ip6 = IP(dst="198.51.100.1"), IPv6(dst="2001:db8:5::1")
    packets = [Ether() / ip / one for one in data] + [Ether() / ip6 / one for one in data6]
    for address in addresses:
        for way in ("src", "dst"):
            four = address is None or ":" not in address
            fields: dict[str, Any] = {"dst": ip.dst if four else ip6.dst} if way == "src" else {}
            if address is not None:
                fields[way] = address
            packets.append(Ether() / (IP(**fields) / ping if four else IPv6(**fields) / _ping6()))
    behind: list[tuple[Packet, Packet]] = [
        (ip, ping),
        (ip6, _ping6()),
        (ip, _query(names[0])),
        (ip6, _query(names[0])),
    ]
    for header, load in (*behind, (ip, TCP())):
        packets += [Ether() / tag / header / load for tag in tags]
        packets += [ether / header / load for ether in outer]
        packets.append(Ether(type=0x88A8) / Dot1Q(vlan=5) / header / load)
        packets.append(Ether(type=0x88A8) / Dot1Q(vlan=5, type=0x88A8) / Dot1Q() / header / load)
    for load in (ping, _query(names[0])):
        packets += [Ether() / IP(dst=ip.dst, options=option) / load for option in options]
        packets += [Ether() / IP(dst=ip.dst, flags=flags) / load for flags in ("MF", "DF")]
        packets += [Ether() / IP(dst=ip.dst, frag=64, flags=flags) / load for flags in ("", "MF")]
        packets += [Ether() / IP(dst=ip.dst, ttl=ttl) / load for ttl in (0, 1, 2, 255)]
        packets += [Ether() / IP(dst=ip.dst, ihl=ihl) / load for ihl in (0, 4, 15)]
        packets += [
            Ether() / IP(dst=ip.dst, len=size) / load for size in (0, 19, 20, 27, 28, 29, 40, 2000)
        ]
    for kind, load in ((58, _ping6()), (17, _query(names[0]))):
        packets += [Ether() / ip6 / more / load for more in _extensions(kind).values()]
        packets += [Ether() / IPv6(dst=ip6.dst, hlim=hops) / load for hops in (0, 1, 2, 255)]
        packets += [
            Ether() / IPv6(dst=ip6.dst, plen=size) / load for size in (0, 7, 8, 9, 20, 2000)
        ]
        packets += [Ether() / IPv6(dst=ip6.dst, nh=nh) / load for nh in (0, 43, 44, 50, 51, 59, 60)]
    packets += [Ether() / ip / ping / Raw(b"odd" * 467), Ether() / ARP()]
    frames = [frame(packet) for packet in packets]
    for size in range(0, 1401, 7):
        text = (bytes(range(256)) * 6)[:size]
        frames.append(frame(Ether() / ip / ping / Raw(text)))
        frames.append(frame(Ether() / ip6 / _ping6(data=text)))
    frames += [one + bytes(18) for one in frames[:60]]  # padded, as Ethernet does
    frames += [bytes(64), b"\xff" * 64, b"\x08\0" * 32, b"\x81\0" * 32, b"\x86\xdd\x60\0" * 20]
    return [
        *dict.fromkeys(frames),
        *chain(_every_checksum(ip / ping, 34), _every_checksum(ip6 / _ping6(), 54)),
    ]


def balancer_corpus() -> list[bytes]:
    """Packets for a VIP and its neighbours, and errors about what was sent from there."""
    ends = {4: ("203.0.113.7", balance.VIP), 6: ("2001:db8:7::7", balance.VIP6)}
    headers = {
        version: (IP if version == 4 else IPv6)(src=client, dst=vip)
        for version, (client, vip) in ends.items()
    }
    some_flags = "S", "SA", "A", "FA", "R", "SEC"
    loads: list[Packet] = [TCP(sport=40000, dport=443, flags=flags) for flags in some_flags]
    loads += [TCP(sport=1, dport=2, flags=0), TCP(sport=40001, dport=443) / Raw(b"data" * 9)]
    loads += [UDP(sport=40000, dport=443) / Raw(b"quic" * 9)]
    loads += [ICMP(id=7), ICMP(type=0), _ping6(), Raw(b"\x9c\x40\1\xbb" * 5)]
    packets: list[Packet] = [
        Ether() / header / load for header in headers.values() for load in loads
    ]
    ether = [Ether(dst="ff:ff:ff:ff:ff:ff"), Ether(dst="01:00:00:00:02:00"), Ether(type=0x800)]
    ether += [
        Ether(dst=balance.MAC[:at] + "a" + balance.MAC[at + 1 :])
        for at in range(0, len(balance.MAC), 3)
    ]
    tags = [Dot1Q(vlan=5), Dot1Q(vlan=5) / Dot1Q(vlan=6), Dot1Q() / Dot1Q() / Dot1Q()]
    for header in headers.values():
        for load in (TCP(sport=40000, dport=443, flags="A"), UDP(sport=53, dport=53)):
            packets += [one / header / load for one in ether]
            packets += [Ether() / tag / header / load for tag in tags]
    four, six = headers.values()
    ways: list[dict[str, Any]] = [
        {"flags": "MF"},
        {"frag": 9},
        {"frag": 9, "flags": "MF"},
        {"flags": "DF"},
    ]
    ways.append({"options": b"\x94\x04\0\0"})
    ways += [*({"len": size} for size in (20, 22, 24, 27, 40)), {"ihl": 6}, {"tos": 8}]
    loads = [TCP(sport=40000, dport=443, flags="S"), UDP(sport=40000, dport=443), ICMP()]
    for each in loads:
        packets += [Ether() / IP(src=four.src, dst=four.dst, **way) / each for way in ways]
        extensions = _extensions(6 if TCP in each else 17).values()
        packets += [Ether() / six / extension / each for extension in extensions]
    for client in range(60):
        flow = TCP(sport=1024 + 977 * client, dport=80, flags="SA"[client % 2])
        packets.append(Ether() / IP(src=f"203.0.113.{client}", dst=balance.VIP) / flow)
        packets.append(Ether() / IPv6(src=f"2001:db8:7::{client}", dst=balance.VIP6) / flow)
    frames = [frame(packet) for packet in packets]
    near = [frame(Ether() / header / TCP(flags="A")) for header in headers.values()]
    frames += [
        one[:at] + bytes([one[at] ^ 1 << at % 8]) + one[at + 1 :]
        for one, start in zip(near, (30, 38), strict=True)
        for at in range(start, start + (4 if start == 30 else 16))  # not the VIP, by one bit
    ]
    frames += [frame(packet) for packet in _errors(ends)]
    return [*dict.fromkeys([*frames, *(one + b"\xa5" * 18 for one in frames)])]


def _errors(ends: dict[int, tuple[str, str]]) -> list[Packet]:
    """Errors about packets from the VIP, quoted in every way, and about others."""
    router, router6 = "192.0.2.254", "2001:db8::fe"
    (client, vip), (client6, vip6) = ends[4], ends[6]
    outer, outer6 = Ether() / IP(src=router, dst=vip), Ether() / IPv6(src=router6, dst=vip6)
    back, back6 = IP(src=vip, dst=client), IPv6(src=vip6, dst=client6)
    load = TCP(sport=443, dport=40000, flags="A") / Raw(b"x" * 8)
    loads = [load, UDP(sport=443, dport=40000) / Raw(b"x" * 8), ICMP(type=0), Raw(b"x" * 8)]
    too_big, too_big6 = ICMP(type=3, code=4, nexthopmtu=1280), ICMPv6DestUnreach(type=2)

    quotes = [bytes(back / one) for one in loads]
    parts = ("MF", 0), ("", 9), ("MF", 9), ("DF", 0)
    quotes += [bytes(IP(src=vip, dst=client, flags=f, frag=o) / load) for f, o in parts]
    quotes += [bytes(IP(src=vip, dst=client, options=b"\1" * 4 * n) / load) for n in (1, 9, 10)]
    lies: list[dict[str, Any]] = [{"ihl": 4}, {"ihl": 15}, {"version": 6}, {"len": 9}]
    quotes += [bytes(IP(src=vip, dst=client, **lie) / load) for lie in lies]
    quotes += [bytes(IP(src=source, dst=client) / load) for source in (client, "198.51.100.11")]
    quotes += [bytes(back / too_big / back / load), bytes(back6 / load)]
    packets: list[Packet] = [outer / too_big / Raw(quote) for quote in quotes]
    quotes6 = [bytes(back6 / one) for one in loads]
    quotes6 += [bytes(back6 / extension / load) for extension in _extensions(6).values()]
    quotes6 += [bytes(IPv6(src=vip6, dst=client6, version=5) / load)]
    quotes6 += [
        bytes(IPv6(src=source, dst=client6) / load) for source in (client6, vip6[:-1] + "1")
    ]
    quotes6 += [bytes(back6 / too_big6 / back6 / load), bytes(back / load)]
    packets += [outer6 / too_big6 / Raw(quote) for quote in quotes6]

    quote, quote6 = quotes[0], quotes6[0]
    options = bytes(IP(src=vip, dst=client, options=b"\1" * 8) / load)
    packets += [outer / ICMP(type=kind) / Raw(quote) for kind in (0, 3, 4, 5, 10, 11, 12, 13)]
    packets += [
        outer6 / ICMPv6DestUnreach(type=kind) / Raw(quote6) for kind in (0, 1, 3, 4, 5, 128)
    ]
    for one in (quote, options):
        packets += [outer / too_big / Raw(one[:size]) for size in range(len(one))]
    packets += [outer6 / too_big6 / Raw(quote6[:size]) for size in range(len(quote6))]
    packets += [Ether() / Dot1Q(vlan=5) / packet.payload for packet in packets[:12]]
    ways: list[dict[str, Any]] = [{"flags": "MF"}, {"frag": 9}, {"options": b"\x94\x04\0\0"}]
    packets += [Ether() / IP(src=router, dst=vip, **way) / too_big / Raw(quote) for way in ways]
    for extension in _extensions(58).values():
        packets.append(outer6 / extension / too_big6 / Raw(quote6))
    packets += [outer / too_big6 / Raw(quote6), outer6 / too_big / Raw(quote)]
    packets.append(Ether() / IP(src=router, dst=vip, proto=58) / too_big6 / Raw(quote))
    packets.append(Ether() / IPv6(src=router6, dst=vip6, nh=1) / too_big / Raw(quote6))
    return packets


def _every_checksum(packet: Packet, at: int) -> list[bytes]:
    """Right pings whose checksums are those at which a carry appears or a zero turns over."""
    whole = frame(Ether() / packet / Raw(b"\0\0"))
    found = []
    for wanted in (0x0000, 0x0001, 0x00FE, 0x00FF, 0x0100, 0xF7FE, 0xF7FF, 0xF800, 0xF8FF, 0xFFFE):
        has = int.from_bytes(whole[at + 2 : at + 4])
        load = (has - wanted) % 0xFFFF  # it is 0 in `whole`, and the checksum is its complement
        found.append(whole[: at + 2] + wanted.to_bytes(2) + whole[at + 4 : -2] + load.to_bytes(2))
    return found
