"""A header field, in the byte order of the wire.

What is not ARP comes first, since most wrong conditions drop too much; then ARP, and at the end a
header with nothing behind it.
"""

from __future__ import annotations

from scapy.packet import Packet

from labsetup import ARP, ICMP, IP, TCP, Dot1Q, Ether, ICMPv6EchoRequest, IPv6, Program
from labsetup.practice.checking import ABORTED, DROP, PASS, expect, expect_each

SWAPPED = "0x0608 is ARP's 0x0806 with its two bytes in the other order."
ONLY = "Only ARP is to be dropped. What does the condition say of this one?"
ARP_IS = "Which field says that ARP comes next, and which byte of it travels first?"
STRICT = "All 14 bytes of the header are there. Is your comparison one byte too strict?"
TRACE = "That verdict leaves a trace, as for a program that failed."


def near(bit: int) -> Packet:
    """A frame whose EtherType has one bit more than ARP's, or less."""
    return Ether(type=0x0806 ^ 1 << bit) / b"experiment, longer than it need be for any header"


CASES = [
    ("a ping", IP() / ICMP(), PASS, ONLY),
    ("TCP", IP() / TCP(), PASS, ONLY),
    ("a ping over IPv6", IPv6() / ICMPv6EchoRequest(), PASS, ONLY),
    ("a frame of EtherType 0x0608", Ether(type=0x0608) / b"experiment", PASS, SWAPPED),
    ("a VLAN tag", Ether() / Dot1Q() / IP() / ICMP(), PASS, ONLY),
    ("a frame of EtherType 0x8806", Ether(type=0x8806) / b"experiment", PASS, ONLY),
    *(
        (f"a frame of EtherType {0x0806 ^ 1 << bit:#06x}", near(bit), PASS, ONLY)
        for bit in range(16)
    ),
    ("an ARP request", Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(), DROP, ARP_IS),
    ("an ARP reply", ARP(op="is-at"), DROP, ARP_IS),
    ("ARP, its Ethernet header alone", Ether(type=0x0806), DROP, STRICT),
]


def check(program: Program) -> None:
    if program.run(ARP()).verdict == ABORTED:
        expect(program, "an ARP request", ARP(), DROP, TRACE)
    expect_each(program, CASES)
