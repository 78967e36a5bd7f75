"""Programs against their models: the same verdict and the same bytes, for many odd packets.

XDP_LAB_SEED repeats a run that failed; XDP_LAB_PACKETS sets how many packets each program gets.
"""

from __future__ import annotations

import os
import random
import secrets
from collections import Counter
from itertools import chain

import pytest
from models import BLOCKED, DROP, MODELS, NEXT_HOPS, PASS, REDIRECT, TX, drop_icmp
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IPOption_Router_Alert, IPOption_SSRR
from scapy.layers.inet6 import (
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
from scapy.utils import checksum

from labsetup import ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether, IPv6, Raw, libbpf
from labsetup.packets import frame
from labsetup.program import VERDICTS

FIXED = 20240204
NUMBER = int(os.environ.get("XDP_LAB_PACKETS", "200000"))
SEEDS = [int(os.environ["XDP_LAB_SEED"])] if "XDP_LAB_SEED" in os.environ else [
    FIXED, secrets.randbits(32),
]  # fmt: skip

# Values at which a field changes its meaning.
TELLING = bytes.fromhex(
    "00 01 02 05 06 08 0f 11 1f 20 2b 2c 2f 33 35 3a 3b 3c 3f 40 41 44 45 46 4f 54 5a 5b 60 61 7a"
    "7f 80 81 86 88 a8 a9 c0 dd e0 ef f0 f7 f8 fe ff"
)
TELLING_PAIRS = [
    pair.to_bytes(2)
    for pair in (0x0000, 0x0001, 0x0035, 0x00FF, 0x0100, 0x0800, 0x0806, 0x1FFF, 0x2000, 0x4000,
                 0x8000, 0x8100, 0x86DD, 0x88A8, 0xC00C, 0xF7FE, 0xF7FF, 0xF800, 0xFEFF, 0xFF00,
                 0xFFFE, 0xFFFF)
]  # fmt: skip


def _ping6(**fields):
    return ICMPv6EchoRequest(id=0x1234, seq=1, **fields)


def _query(name: str, **fields):
    return UDP(sport=40000, dport=53) / DNS(id=7, qd=DNSQR(qname=name), **fields)


def _extensions(kind: int):
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
        "six": IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt()
        / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt(),
        "seven": IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt()
        / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt(),
    }  # fmt: skip


def corpus() -> list[bytes]:
    """Packets of every kind that a program may meet, as scapy makes them."""
    ping = ICMP(id=0x1234, seq=1)
    names = [".".join(label.decode() for label in labels) for labels in BLOCKED]
    names += [names[0].upper(), "ZEBRA.eXample", "example.org", "blocked.example.org", ""]
    names += ["x" * 63, ".".join(["long"] * 20), "@{.example", "`[.example", "blockec.example"]
    data = [
        ping / Raw(b"ping" * 12), ICMP(), ICMP(type=0), ICMP(type=13), ICMP(code=1),
        *(_query(name) for name in names),
        _query(names[0], qr=1), _query(names[0], rd=0, aa=1), UDP(dport=5353) / Raw(b"\0" * 30),
        UDP(dport=53) / DNS(qd=[DNSQR(qname=names[0])] * 2), UDP(dport=53) / DNS(qd=[]),
        _query(names[0]) / Raw(b"\0" * 8), TCP(dport=53) / Raw(b"\0" * 40), TCP(flags="S"),
    ]  # fmt: skip
    data6 = [ICMPv6EchoReply(), ICMPv6ND_NS(tgt="2001:db8::2"), _ping6(data=b"ping" * 12), _ping6()]
    data6 += [one for one in data if ICMP not in one]
    addresses = [None, *NEXT_HOPS, "255.255.255.255", "127.0.0.1", "0.0.0.1", "240.1.1.1",
                 "ff02::1", "::1", "::", "::ffff:198.51.100.1", "fe80::1"]  # fmt: skip
    options = [b"\x01\0\0\0", IPOption_Router_Alert(), IPOption_SSRR(routers=["192.0.2.9"])]
    tags = [Dot1Q(vlan=5), Dot1Q(vlan=5) / Dot1Q(vlan=6), Dot1Q() / Dot1Q() / Dot1Q()]
    outer = [Ether(), Ether(dst="ff:ff:ff:ff:ff:ff"), Ether(src="01:00:00:00:00:00")]

    ip, ip6 = IP(dst="198.51.100.1"), IPv6(dst="2001:db8:5::1")
    packets = [Ether() / ip / one for one in data] + [Ether() / ip6 / one for one in data6]
    for address in addresses:
        for way in ("src", "dst"):
            four = address is None or ":" not in address
            header, load = (IP, ping) if four else (IPv6, _ping6())
            fields = {} if address is None else {way: address}
            other = {} if way == "dst" else {"dst": "198.51.100.1" if four else "2001:db8:5::1"}
            packets.append(Ether() / header(**(other | fields)) / load)
    for header, load in ((ip, ping), (ip6, _ping6()), (ip, _query(names[0])),
                         (ip6, _query(names[0])), (ip, TCP())):  # fmt: skip
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
        load = bytes(range(256)) * 6
        frames.append(frame(Ether() / ip / ping / Raw(load[:size])))
        frames.append(frame(Ether() / ip6 / _ping6(data=load[:size])))
    frames += [one + bytes(18) for one in frames[:60]]  # padded, as Ethernet does
    frames += [bytes(64), b"\xff" * 64, b"\x08\0" * 32, b"\x81\0" * 32, b"\x86\xdd\x60\0" * 20]
    return [
        *dict.fromkeys(frames),
        *chain(_every_checksum(ip / ping, 34), _every_checksum(ip6 / _ping6(), 54)),
    ]


def _every_checksum(packet, at: int) -> list[bytes]:
    """Right pings whose checksums are those at which a carry appears or a zero turns over."""
    whole = frame(Ether() / packet / Raw(b"\0\0"))
    found = []
    for wanted in (0x0000, 0x0001, 0x00FE, 0x00FF, 0x0100, 0xF7FE, 0xF7FF, 0xF800, 0xF8FF, 0xFFFE):
        has = int.from_bytes(whole[at + 2 : at + 4])
        load = (has - wanted) % 0xFFFF  # it is 0 in `whole`, and the checksum is its complement
        found.append(whole[: at + 2] + wanted.to_bytes(2) + whole[at + 4 : -2] + load.to_bytes(2))
    return found


def cuts(frames: list[bytes]) -> list[bytes]:
    """Each frame at every length that the kernel takes; of most long ones headers and end only."""
    return [
        whole[:size]
        for whole in frames
        for size in range(14, len(whole))
        if size < 150 or size > len(whole) - 10 or len(whole) > 1430
    ]


def mutants(frames: list[bytes], seed: int, number: int) -> list[bytes]:
    """Frames with a few bits or bytes changed, or made of two."""
    chance = random.Random(seed)
    roll = chance.random
    small = [one for one in frames if len(one) < 200]
    made = []
    while len(made) < number:
        one = bytearray(chance.choice(small if roll() < 0.95 else frames))
        for _ in range(1 + int(roll() * 3)):
            reach = min(len(one), 90)
            at, how = int(roll() * reach), roll()
            if how < 0.35:
                one[at] ^= 1 << int(roll() * 8)
            elif how < 0.65:
                one[at] = chance.choice(TELLING)
            elif how < 0.75:
                one[at] = int(roll() * 256)
            elif how < 0.85:
                one[at & ~1 : (at & ~1) + 2] = chance.choice(TELLING_PAIRS)
            elif how < 0.9:
                other = chance.choice(small)
                one[at:] = other[int(roll() * len(other)) :] if roll() < 0.5 else other[at:]
            elif how < 0.95:
                del one[14 + int(roll() * len(one)) :]
            else:
                one += bytes(int(roll() * 20))
            if len(one) < 14:
                one += bytes(14 - len(one))
        made.append(bytes(one[:1500]))
    return made


@pytest.fixture(scope="module")
def frames():
    """The packets that every program gets, with the seed of each part."""
    base = corpus()
    parts = [("any", base + cuts(base))]
    share = max(1, (NUMBER - len(parts[0][1])) // len(SEEDS) + 1)
    parts += [(seed, mutants(base, seed, share)) for seed in SEEDS]
    print(f"\nseeds: {', '.join(map(str, SEEDS))}")
    return parts


@pytest.mark.parametrize("name", MODELS)
def test_a_program_does_what_its_model_does(loaded, frames, name):
    model, fd = MODELS[name], loaded[name].fd
    seen: Counter[str] = Counter()
    before, icmp = _counted(loaded[name]), 0
    for seed, part in frames:
        for packet in part:
            number, after, _ = libbpf.test_run(fd, packet)
            verdict, expected = model(packet)
            if VERDICTS[number] != verdict or after != expected:
                pytest.fail(
                    f"{name} differs from its model; XDP_LAB_SEED={seed}\npacket   {packet.hex()}\n"
                    f"expected {verdict} {expected.hex()}\n"
                    f"got      {VERDICTS[number]} {after.hex()}"
                )
            seen[verdict] += 1
            icmp += name == "icmp_count" and drop_icmp(packet)[0] == DROP
    total = seen.total()
    print(f"\n{name}: {total} packets, {dict(seen)}, seeds {SEEDS}")
    assert total >= NUMBER
    counts = {"icmp_count": icmp, "dns_block": seen[DROP]}
    assert _counted(loaded[name]) - before == counts.get(name, 0)
    if name in ("echo_reply", "redirect", "dns_block"):
        assert 0.01 * total < seen[PASS] < 0.99 * total  # both ways are well trodden


def _counted(program) -> int:
    if program.name == "icmp_count":
        return program["icmp_packets"][0].sum
    return sum(program["blocked"].values()) if program.name == "dns_block" else 0


@pytest.mark.parametrize("name", ["echo_reply", "redirect"])
def test_scapy_finds_the_checksums_right(loaded, name):
    """In each changed packet of the corpus whose checksums were right before."""
    checked = 0
    for packet in corpus():
        run = loaded[name].run(packet)
        if run.verdict not in (TX, REDIRECT) or not _is_right(packet):
            continue
        assert _is_right(run.after), packet.hex()
        checked += 1
    assert checked >= 100


def _is_right(raw: bytes) -> bool:
    """Whether the receiver's sum over IPv4 header and ICMP message comes out right."""
    packet = Ether(raw)
    if IP in packet:
        header = bytes(packet[IP])[: packet[IP].ihl * 4]
        message = bytes(packet[IP])[packet[IP].ihl * 4 : packet[IP].len]
        fits = (
            packet[IP].proto != 1
            or packet[IP].frag
            or packet[IP].flags.MF
            or checksum(message) == 0
        )
        return checksum(header) == 0 and bool(fits)
    if packet[IPv6].nh != 58:
        return True
    body = bytes(packet[IPv6])
    size = int.from_bytes(body[4:6])
    return checksum(body[8:40] + size.to_bytes(4) + b"\0\0\0\x3a" + body[40 : 40 + size]) == 0
