"""A third header, and where it begins.

What must pass comes first, a packet for each mistake that lets a port be read in the wrong place or
order; then the questions, and options in front of them.
"""

from __future__ import annotations

from labsetup import DNS, DNSQR, ICMP, IP, TCP, UDP, Ether, IPv6, Program
from labsetup.packets.craft import frame
from labsetup.practice.checking import DROP, PASS, Case, expect_each

DNS_QUESTION = UDP(sport=4242, dport=53) / DNS(qd=DNSQR(qname="example.org"))
TO_80 = UDP(sport=4242, dport=80)
DNS_ANSWER = UDP(sport=53, dport=4242) / DNS(qr=1)
OPTIONS = b"\x01" * 8  # two words of nothing
LOOKALIKE = b"\0\x35\0\x35\x01\x01\x01\x01"

LIKE_DNS = Ether(type=0x88B5) / frame(IP() / DNS_QUESTION)[14:]
CUT_OFF = frame(IP() / DNS_QUESTION)[:34]
FIFTY_THREES = b"\0\x35" * 300  # wherever it is taken for a header, its port is 53

SWAPPED = "13568 is 53 with its two bytes in the other order."
OTHER = "That is another port."
NOT_UDP = "That is not UDP. Which field says so?"
WHERE = (
    "Is it found to be UDP? Where does UDP begin? ihl counts words of four bytes, from the first "
    "byte of IPv4 on. And in which order do the two bytes of a port travel?"
)
FROM_53 = "It comes from port 53. To which port does it go?"
ITS_TTL = (
    "That is its TTL, not its port. Is what you add counted in bytes? ihl counts words of four "
    "bytes."
)
FAR_BEHIND = (
    "This 53 lies far behind the ports. In which units does C add to your pointer, and from where "
    "on? ihl counts from the first byte of IPv4."
)
ALL_THERE = "Its 8 bytes are all there. Does your comparison ask for more?"
FURTHER_BACK = "With options, UDP begins further back. Which field knows where?"
BEFORE = "These are IP options. Where does UDP begin?"
NOT_IPV4 = "That is not IPv4. Which field says so?"
OVER_IPV6 = "It is UDP to port 53, but over IPv6: only IPv4 is asked for."
NO_PORTS = "There are no ports in it: leave it to the stack."

CASES: list[Case] = [
    ("UDP to port 80", IP() / TO_80, PASS, OTHER),
    ("UDP to port 13568", IP() / UDP(sport=4242, dport=13568), PASS, SWAPPED),
    ("a DNS answer, UDP from port 53", IP() / DNS_ANSWER, PASS, FROM_53),
    ("UDP to port 4661", IP() / UDP(sport=4242, dport=0x1235), PASS, OTHER),
    *(
        (f"UDP to port {53 ^ 1 << bit}", IP() / UDP(sport=4242, dport=53 ^ 1 << bit), PASS, OTHER)
        for bit in range(16)
    ),
    ("UDP-Lite to port 53", IP(proto=136) / bytes(DNS_QUESTION), PASS, NOT_UDP),
    ("TCP to port 53", IP() / TCP(sport=4242, dport=53), PASS, NOT_UDP),
    ("ICMP", IP() / ICMP(code=53) / b"\0\x35\0\x35", PASS, NOT_UDP),
    ("UDP to port 80 with a TTL of 53", IP(ttl=53) / TO_80, PASS, ITS_TTL),
    ("UDP to port 80 with many a 53 in its payload", IP() / TO_80 / FIFTY_THREES, PASS, FAR_BEHIND),
    ("a DNS question, UDP to port 53", IP() / DNS_QUESTION, DROP, WHERE),
    ("an empty datagram to port 53", IP() / UDP(sport=4242, dport=53), DROP, ALL_THERE),
    ("a DNS question with IP options", IP(options=OPTIONS) / DNS_QUESTION, DROP, FURTHER_BACK),
    ("UDP to port 80, and options with a 53 in them", IP(options=LOOKALIKE) / TO_80, PASS, BEFORE),
    ("a DNS question over IPv6", IPv6() / DNS_QUESTION, PASS, OVER_IPV6),
    ("something unknown, with the bytes of a DNS question", LIKE_DNS, PASS, NOT_IPV4),
    ("a DNS question cut off in front of its ports", CUT_OFF, PASS, NO_PORTS),
]


def check(program: Program) -> None:
    expect_each(program, CASES)
