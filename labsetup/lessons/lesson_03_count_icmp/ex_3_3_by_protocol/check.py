"""A key that comes out of the packet.

The whole map is compared after each packet, the plain ones first. At the end several CPUs add to
one element at once.
"""

from __future__ import annotations

from scapy.packet import Packet

from labsetup import ARP, ICMP, IP, TCP, UDP, Ether, ICMPv6EchoRequest, IPv6, Program
from labsetup.packets.craft import frame
from labsetup.practice.checking import LOST, PASS, Wrong, at_once, equal, expect, summed

Counts = dict[int, int]  # packets of each protocol

PACKETS: list[tuple[str, Packet | bytes, int | None]] = [
    ("a ping", IP(ttl=99) / ICMP(), 1),
    ("TCP", IP(ttl=99) / TCP(), 6),
    ("TCP again", IP(ttl=99) / TCP(), 6),
    ("UDP", IP(ttl=99) / UDP(), 17),
    ("a protocol that nobody uses", IP(ttl=99, proto=253) / b"experiment", 253),
    ("ARP", ARP(), None),
    ("a ping over IPv6", IPv6() / ICMPv6EchoRequest(), None),
    ("something unknown", Ether(type=0x88B5) / bytes(40), None),
    ("something unknown that looks like IPv4", Ether(type=0x88B5) / frame(IP() / UDP())[14:], None),
    ("IPv4 cut off in the middle of its header", frame(IP() / ICMP())[:30], None),
]


AND_OTHERS = (
    "It was not counted, and others were. Which question sends it away? With which key is it "
    "looked up, and has the map that many elements?"
)
NONE_AT_ALL = (
    "It was not counted. Does the program come as far as the addition: is the EtherType compared "
    "in the order of the wire? With which key does it look? Is it an int of its own? And to what "
    "does it add: to the pointer, or to what it points to, as *count in icmp_count?"
)

EACH = "A packet may carry any of them, and options in front. Which does yours send away?"
OPTIONS = b"\x01" * 4


def check(program: Program) -> None:
    right: Counts = {}
    for what, packet, key in PACKETS:
        expect(program, what, packet, PASS, "Counting is all; every packet goes on.")
        if key is not None:
            right[key] = right.get(key, 0) + 1
        found = {k: summed(v) for k, v in program["protocols"].items() if summed(v)}
        if found != right:
            raise Wrong(what, _shown(right), _shown(found, key), _thought(right, found, key))
    program["protocols"].clear()
    for protocol in range(256):
        with_options = frame(IP(proto=protocol, options=OPTIONS) / bytes(8))
        for _ in range(2):  # not repeat=2, for which the kernel changes its dispatcher each time
            program.run(with_options)
    odd = {k: summed(v) for k, v in program["protocols"].items() if summed(v) != 2}
    odd |= {k: 0 for k in range(256) if k not in program["protocols"]}
    if odd:
        key, count = min(odd.items())
        sent = "two packets with IP options of each of 256 protocols"
        raise Wrong(sent, f"protocols[{key}] 2", f"protocols[{key}] {count}", EACH)
    for _ in range(5):
        program["protocols"].clear()
        program.run(frame(IP() / ICMP()))  # who makes an entry for it does so now
        program["protocols"][1] = 0
        sent, times = at_once(program, "a ping", IP() / ICMP())
        counted = summed(program["protocols"][1])
        equal(sent, "protocols[1]", times, counted, f"{LOST} Which kind of map has one for each?")


def _shown(counts: Counts, asked: int | None = None) -> str:
    counts = counts if asked is None or asked in counts else {asked: 0} | counts
    return ", ".join(f"protocols[{key}] {count}" for key, count in sorted(counts.items()))


def _thought(right: Counts, found: Counts, key: int | None) -> str:
    if key is None:
        return "That one is not IPv4, or not all of it is there."
    if sum(found.values()) > sum(right.values()):
        return "It adds more than one for a packet."
    if found.get(key) == 1 < right[key]:
        return "It is set, not raised: each packet is to add one to what is there."
    if sum(found.values()) < sum(right.values()):
        return AND_OTHERS if found else NONE_AT_ALL
    if 99 in found:
        return "99 is this packet's TTL: the key comes from another field."
    return "That is another element. Is ip where IPv4 begins? And from which field is the key?"
