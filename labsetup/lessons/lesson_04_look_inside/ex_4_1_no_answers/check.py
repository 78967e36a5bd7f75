"""A field of the payload, of which one bit counts.

Questions come first, one for each bit that is not the one; then the same bits from other ports, and
at the end answers, in all their forms.
"""

from __future__ import annotations

import struct

from scapy.packet import Packet

from labsetup import ARP, DNS, DNSQR, IP, TCP, UDP, Dot1Q, IPv6, Program
from labsetup.practice.checking import DROP, PASS, Case, expect_each


def flagged(flags: int, questions: int = 1) -> Packet:
    """A DNS header and a question, from port 53."""
    head = struct.pack("!6H", 0, flags, questions, 0, 0, 0)
    return IP() / FROM_53 / (head + b"\7example\3org\0\0\1\0\1")


ANSWER = DNS(id=0, qr=1, rd=0)
QUESTION = DNS(id=0, qr=0, rd=0, qd=DNSQR(qname="example.org"))
OTHER_BIT = DNS(id=0, qr=0, rd=0, ra=1, qd=DNSQR(qname="example.org"))
SERVED = DNS(id=0x4242, qr=1, rd=1, ra=1, qd=DNSQR())
FROM_53, TO_53 = UDP(sport=53, dport=4242), UDP(sport=4242, dport=53)
FRAGMENT = IP(frag=3, proto=17) / bytes(FROM_53 / ANSWER)

UDP_LITE = IP(proto=136) / bytes(FROM_53 / ANSWER)

WHOLE = (
    "Is it found to be UDP, and from port 53? Where does DNS begin? How many bytes does your "
    "comparison ask for? And if you compare what & gives: which numbers can that be?"
)
BIT = "Is the bit that is asked for in this one? Which byte of the flags travels first?"
BESIDE = "The flags of an answer say more than that it is one: the bit has neighbours."
QUESTIONS = "That is a question, and the bit is not set. Where does DNS begin?"
BOTH = (
    "That is a question: the bit is not set. Where does DNS begin? And does your condition ask for "
    "both, the port and the bit?"
)
NEIGHBOURS = (
    "That is a question: the bit is not set, and others are. Which bits are set in your constant?"
)
FIELDS = "That is a question: the bit is not set. Which fields does your condition look at?"
MORE = "It comes from port 53, and the bit is set. Does your condition ask for more?"
HALF = "309 is 256 + 53. How many bytes has a port?"
PORT = "By its bit it is an answer. From which port does it come?"
SWAPPED = "13568 is 53 with its two bytes in the other order."
NOT_UDP = "That is not UDP. Which field of pkt says so?"
SIX = "Over IPv6, too: parse() has found UDP there as well."
TAGS = "parse() walks over VLAN tags. Does your program ask for more?"
BEHIND = "With options UDP lies further back, and parse() knows where."
EMPTY = "No DNS header is there: leave it to the stack."
LATER = "A later fragment has no ports. What does parse() put into pkt.l4 for it?"

CASES: list[Case] = [
    ("a question to port 53", IP() / TO_53 / QUESTION, PASS, QUESTIONS),
    ("a question from port 53", IP() / FROM_53 / QUESTION, PASS, BOTH),
    ("a question from port 53, its flags 0x0080", IP() / FROM_53 / OTHER_BIT, PASS, BIT),
    ("a packet from port 53 with no flag, and no question in it", flagged(0, 0), PASS, FIELDS),
    *(
        (f"a question from port 53, its flags {1 << bit:#06x}", flagged(1 << bit), PASS, NEIGHBOURS)
        for bit in range(15)
    ),
    ("an answer to port 53, from another port", IP() / TO_53 / ANSWER, PASS, PORT),
    ("such bits from port 13568", IP() / UDP(sport=13568, dport=4242) / ANSWER, PASS, SWAPPED),
    ("such bits from port 309", IP() / UDP(sport=309, dport=4242) / ANSWER, PASS, HALF),
    ("such bits from port 80", IP() / UDP(sport=80, dport=4242) / ANSWER, PASS, PORT),
    ("TCP from port 53, with such bits", IP() / TCP(sport=53, ack=0x80008000), PASS, NOT_UDP),
    ("UDP-Lite from port 53, with such bits", UDP_LITE, PASS, NOT_UDP),
    ("ARP", ARP(), PASS, "ARP carries no UDP."),
    ("a DNS answer, nothing else in its flags", IP() / FROM_53 / ANSWER, DROP, WHOLE),
    ("a DNS answer as servers send it, its flags 0x8180", IP() / FROM_53 / SERVED, DROP, BESIDE),
    *(
        (f"a DNS answer, its flags {0x8000 | flags:#06x}", flagged(0x8000 | flags), DROP, BESIDE)
        for flags in (0x0583, 0x7FFF, *(1 << bit for bit in range(15)))
    ),
    ("a DNS answer that does not repeat the question", flagged(0x8000, 0), DROP, MORE),
    ("a DNS answer from port 53 to port 53", IP() / UDP(sport=53, dport=53) / ANSWER, DROP, MORE),
    ("a DNS answer over IPv6", IPv6() / FROM_53 / ANSWER, DROP, SIX),
    ("a DNS answer with a VLAN tag", Dot1Q(vlan=7) / IP() / FROM_53 / ANSWER, DROP, TAGS),
    ("a DNS answer with IP options", IP(options=b"\x01" * 8) / FROM_53 / ANSWER, DROP, BEHIND),
    ("UDP from port 53 with nothing in it", IP() / FROM_53, PASS, EMPTY),
    ("a later fragment that looks like an answer from port 53", FRAGMENT, PASS, LATER),
]


def check(program: Program) -> None:
    expect_each(program, CASES)
