"""A read that the verifier refuses, and the comparison that is missing.

A packet that must be dropped comes first, then others that have no such field. Headers that are cut
off come last: they are about the comparison alone.
"""

from __future__ import annotations

from labsetup import ARP, ICMP, IP, TCP, UDP, Ether, IPv6, Program
from labsetup.packets.craft import frame
from labsetup.practice.checking import DROP, PASS, Case, expect_each

DYING = frame(Ether() / IP(ttl=1) / ICMP())
WHOLE = "The 20 bytes of IPv4 are all there, and nothing behind them is read."
SHORT = (
    "A frame may be too short for its header: leave it to the stack. For how many bytes does the "
    "comparison ask? IPv4 has 20, behind the 14 of Ethernet."
)
FIRST = (
    "This one has a TTL of 1. How far on does ip point, and how far what is compared with "
    "data_end? And in which units does C add?"
)

ODD = "This one may live on: its TTL is odd, and more than 1."
NONE = "That is not IPv4 and has no TTL at all. Which field says so?"

CASES: list[Case] = [
    ("a ping with a TTL of 1", DYING, DROP, FIRST),
    ("a ping with a TTL of 2", IP(ttl=2) / ICMP(), PASS, "This one may live on."),
    *(
        (f"a ping with a TTL of {1 | 1 << bit}", IP(ttl=1 | 1 << bit) / ICMP(), PASS, ODD)
        for bit in range(1, 8)
    ),
    ("TCP with a TTL of 1", IP(ttl=1) / TCP(), DROP, "TCP may die, too."),
    ("ARP", ARP(), PASS, "ARP has no TTL."),
    ("IPv6, with a 1 where IPv4 has its TTL", IPv6(src="100::1") / UDP(), PASS, NONE),
    ("something unknown, with a 1 in that place", Ether(type=0x88B5) / DYING[14:], PASS, NONE),
    ("a ping with a TTL of 0", IP(ttl=0) / ICMP(), PASS, "0 is not 1."),
    ("IPv4, its header and no more", DYING[:34], DROP, WHOLE),
    ("IPv4, cut off in the middle of its header", DYING[:30], PASS, SHORT),
]


def check(program: Program) -> None:
    expect_each(program, CASES)
