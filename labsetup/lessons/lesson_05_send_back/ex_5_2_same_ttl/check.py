"""The carry of ones' complement: right for nearly every packet is wrong.

A few packets show whether a checksum is mended at all. Then comes a ping for each checksum near
which a carry is lost: how many are wrong, and how, tells what became of it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from scapy.packet import Packet

from labsetup import ARP, ICMP, IP, TCP, UDP, Ether, IPv6, Program
from labsetup.packets.craft import frame
from labsetup.practice.checking import PASS, Wrong, equal, expect


def total(header: bytes | bytearray) -> int:
    """The ones' complement sum of its words; with a right checksum among them 0xffff."""
    words: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while words > 0xFFFF:
        words = (words & 0xFFFF) + (words >> 16)
    return words


def pings(ttl: int = 255) -> Iterator[bytes]:
    """One of each id, whose checksum begins or ends with a byte of zeros or ones.

    There a sum of 16 bits meets an end of what it can hold, in one byte order or the other.
    """
    raw = bytearray(frame(IP(ttl=ttl, id=0, chksum=0) / ICMP()))
    without = total(raw[14:34])
    for number in range(0x10000):
        check = -(without + number) % 0xFFFF
        if {check >> 8, check & 0xFF} & {0, 0xFF}:
            raw[18:20], raw[24:26] = number.to_bytes(2), check.to_bytes(2)
            yield bytes(raw)


def id_of(raw: bytes) -> int:
    """The id in its IPv4 header."""
    return int.from_bytes(raw[18:20])


def lowered(raw: bytes, check: bytes) -> bytes:
    """The same frame with a TTL of 64 and another checksum."""
    return raw[:22] + b"\x40" + raw[23:24] + check + raw[26:]


def colleagues(raw: bytes) -> bytes:
    """What the starter makes of it, with a sum of 16 bits in the order of this machine."""
    (check,) = struct.unpack_from("<H", raw, 24)
    return lowered(raw, struct.pack("<H", (check + raw[22] - 64) & 0xFFFF))


def is_right(raw: bytes) -> bool:
    """Whether a receiver takes the IPv4 header for whole."""
    return total(raw[14 : 14 + (raw[14] & 15) * 4]) == 0xFFFF


def checksum(raw: bytes) -> int:
    """That of its IPv4 header."""
    return int.from_bytes(raw[24:26])


def right_checksum(raw: bytes) -> int:
    """What it would have to be."""
    header = bytearray(raw[14 : 14 + (raw[14] & 15) * 4])
    header[10:12] = 0, 0
    return total(header) ^ 0xFFFF


STAYS = "Only the TTL and the checksum change, and only where the TTL is above 64."
SUM = (
    "Which 16 bits change, from what to what, and in which order do they stand in the packet? Does "
    "the checksum rise or fall by it? And if yours has a ~: how many bits does that give?"
)
UNTOUCHED = (
    "The checksum is the same as before. Does the program write one? And which TTL stands in the "
    "header when it computes it?"
)
LONGER = "With options the header is longer than 20 bytes, and its checksum covers them all."
AS_BEFORE = (
    "Which are they? Look at the checksum before, and at what is added to it. Has what holds the "
    "sum room for more than 16 bits? And if so, where do those above them go?"
)
FEWER = (
    "Some carries come back in, and some do not. Is the lowest bit of the sum, to which they come "
    "back, 0 or 1 for these? What becomes of it?"
)
LEFT = "Which packets does yours leave alone? Each TTL above 64 becomes 64."
STOPPED = "Every packet goes on. Which packets does yours stop?"
OTHERWISE = "Which are they? What becomes of the carry in your sum, and where is it added?"
OPTIONS = b"\x01" * 3 + b"\x94\x04\0\0\0"
PACKETS: list[tuple[str, Packet, str]] = [
    ("a ping with a TTL of 128", IP(ttl=128) / ICMP(), SUM),
    ("TCP with a TTL of 255", IP(ttl=255) / TCP(), SUM),
    ("UDP with a TTL of 65", IP(ttl=65) / UDP(), SUM),
    ("a ping with a TTL of 64", IP(ttl=64) / ICMP(), SUM),
    ("a ping with a TTL of 3", IP(ttl=3) / ICMP(), SUM),
    ("a ping with IP options and a TTL of 128", IP(ttl=128, options=OPTIONS) / ICMP(), LONGER),
]
OTHERS = {"ARP": ARP(), "IPv6": IPv6(), "an unknown one": Ether(type=0x88B5)}


def check(program: Program) -> None:
    for what, packet, think in PACKETS:
        run = program.run(packet)
        ttl = min(64, run.before[22])
        equal(what, "IP ttl:", ttl, run.after[22], STAYS)
        wanted = run.before
        if ttl != run.before[22]:  # any checksum that is right
            wanted = wanted[:22] + run.after[22:23] + wanted[23:24] + run.after[24:26] + wanted[26:]
        expect(program, what, packet, PASS, STAYS, wanted)
        if not is_right(run.after):
            before, after = checksum(run.before), checksum(run.after)
            right = f"IP chksum: {before:#06x} → {right_checksum(run.after):#06x}"
            happened = f"IP chksum: {before:#06x} → {after:#06x}"
            raise Wrong(what, right, happened, UNTOUCHED if before == after else think)
    for what, packet in OTHERS.items():
        expect(program, what, packet, PASS, "It has no TTL, or none of IPv4.")
    tried = [(ping, program.run(ping)) for ping in pings()]
    for ping, run in tried:
        wanted = lowered(ping, run.after[24:26])
        if (run.verdict, run.after) != (PASS, wanted):
            what = f"a ping with a TTL of 255 and the id {id_of(ping)}"
            equal(what, "verdict", PASS, run.verdict, STOPPED)
            equal(what, "IP ttl:", 64, run.after[22], LEFT)
            expect(program, what, ping, PASS, STAYS, wanted)
    wrong = [(ping, run.after) for ping, run in tried if not is_right(run.after)]
    if wrong:
        sent = f"{len(tried):,} pings with a TTL of 255, chosen so that many go wrong"
        as_before = all(after == colleagues(ping) for ping, after in wrong)
        fewer = as_before and len(wrong) < sum(not is_right(colleagues(ping)) for ping, _ in tried)
        how, think = {
            (True, False): ("as with the colleague's program", AS_BEFORE),
            (True, True): ("fewer than with the colleague's program", FEWER),
            (False, False): ("but not in the colleague's way", OTHERWISE),
        }[as_before, fewer]
        ping, mended = wrong[0]
        happened = (
            f"{len(wrong)} of them are wrong, {how}; the one with id {id_of(ping)}: "
            f"{checksum(ping):#06x} → {checksum(mended):#06x}, "
            f"{right_checksum(mended):#06x} is right"
        )
        raise Wrong(sent, "all checksums are right", happened, think)
