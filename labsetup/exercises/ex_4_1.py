"""A field of the payload, of which one bit counts."""

import struct

from ..packets import ARP, DNS, DNSQR, IP, TCP, UDP, Dot1Q, IPv6
from . import DROP, PASS, expect_each

TITLE = "Answers nobody asked for"
TEXT = """
A flood of DNS answers: somebody asked a thousand name servers, in your server's name. **Drop DNS
answers**, over IPv4 and IPv6: UDP **from** port 53 whose `flags` have the bit 0x8000. Questions go
on, also those that come from port 53, and so does all else.

`parse.h` has done the walking: `pkt.l4` points to what IP carries, or is `NULL`; `pkt.protocol`
says whether it is UDP, and `pkt.end` is `data_end`.
"""
NAME = "no_answers"
STARTER = """#include "parse.h"

struct dnshdr {
	__be16 id, flags, questions, answers, authorities, additionals;
};

int no_answers(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);

	/* your code */
	return XDP_PASS;
}
"""
STARTER_SAYS = "a DNS answer"
HINTS = (
    "dns_block does the opposite: it lets answers go on. Which of its lines finds UDP, which one "
    "finds DNS, and which one looks at the bit?",
    "One comparison is enough for UDP and DNS: the end of what lies further back. The bit has "
    "neighbours, so ask for it alone, with &.",
    "if (udp->source == htons(53) && ...), where the other half is dns->flags & a constant in the "
    "order of the wire.",
)
SOLUTION = STARTER.replace(
    "	/* your code */\n",
    """	if (!pkt.l4 || pkt.protocol != IPPROTO_UDP)
		return XDP_PASS;

	struct udphdr *udp = pkt.l4;
	struct dnshdr *dns = (void *)(udp + 1);
	if ((void *)(dns + 1) > pkt.end)
		return XDP_PASS;
	if (udp->source == htons(53) && dns->flags & htons(0x8000))
		return XDP_DROP;

""",
)
COMPARE = (
    "How far does yours prove the packet to be there? The whole DNS header, or the four bytes of "
    "it that are needed: both are right."
)
NEXT = (
    "What about a server that asks questions of its own? It waits for answers. Which map would "
    "have to remember what, so that only the others are dropped?"
)

NEAR_MISSES = {
    "the bit in host byte order": ([("& htons(0x8000)", "& 0x8000")], "its flags 0x0080"),
    "the bit taken for 1": (
        [("dns->flags & htons(0x8000)", "(dns->flags & htons(0x8000)) == 1")],
        "which numbers can that be",
    ),
    "all flags compared": ([("flags & htons(0x8000)", "flags == htons(0x8000)")], "neighbours"),
    "the port it goes to": ([("udp->source", "udp->dest")], "to port 53"),
    "the port alone": ([(" && dns->flags & htons(0x8000)", "")], "a question from port 53 ("),
    "the bit alone": ([("udp->source == htons(53) && ", "")], "from another port"),
    "the port in host byte order": ([("htons(53)", "53")], "13568"),
    "any protocol": ([(" || pkt.protocol != IPPROTO_UDP", "")], "is not UDP"),
    "only UDP proved to be there": (
        [("(void *)(dns + 1)", "(void *)(udp + 1)")],
        "beyond the bytes proved to be there",
    ),
    "IPv4 only": ([("!pkt.l4 ||", "!pkt.l4 || !pkt.ip ||")], "over IPv6"),
    "DNS expected at once behind IP": (
        [("(void *)(udp + 1);", "(void *)udp;")],
        "Where does DNS begin",
    ),
    "one byte, not one header, behind UDP": (
        [("(void *)(udp + 1);", "(void *)udp + 1;")],
        "not set. Where does DNS begin",
    ),
    "the port or the bit": (
        [("htons(53) && dns", "htons(53) || dns")],
        "ask for both, the port and the bit",
    ),
    "two answers that were seen once": (
        [
            (
                "dns->flags & htons(0x8000)",
                "(dns->flags == htons(0x8180) || dns->flags == htons(0x8000))",
            )
        ],
        "neighbours",
    ),
    "the condition of dns_block": (
        [
            (
                "dns->flags & htons(0x8000)",
                "(dns->flags & htons(0x8000) || dns->questions != htons(1))",
            )
        ],
        "Which fields does your condition look at",
    ),
    "a neighbour of the bit": ([("0x8000", "0x8400")], "Which bits are set in your constant"),
    "all of the upper four": ([("0x8000", "0xf000")], "Which bits are set in your constant"),
    "all of the upper byte": ([("0x8000", "0xff00")], "Which bits are set in your constant"),
    "one question asked for": (
        [("& htons(0x8000)", "& htons(0x8000) && dns->questions == htons(1)")],
        "Does your condition ask for more",
    ),
    "another port asked for": (
        [("& htons(0x8000)", "& htons(0x8000) && udp->dest != htons(53)")],
        "Does your condition ask for more",
    ),
    "half of the port": ([("udp->source == htons(53)", "(u8)ntohs(udp->source) == 53")], "309 is"),
    "as many headers asked for as one has bytes": (
        [("(void *)(dns + 1)", "(void *)(dns + sizeof(*dns))")],
        "How many bytes does your comparison ask for",
    ),
}
ALTERNATIVES = {
    "byte by byte behind UDP": [
        ("	struct dnshdr *dns = (void *)(udp + 1);\n", "	u8 *third = (void *)udp + 10;\n"),
        ("(void *)(dns + 1)", "(void *)(third + 1)"),
        ("dns->flags & htons(0x8000)", "*third >> 7"),
    ],
    "turned round first": [
        (
            "udp->source == htons(53) && dns->flags & htons(0x8000)",
            "ntohs(udp->source) == 53 && ntohs(dns->flags) >= 0x8000",
        )
    ],
    "as words of two bytes": """#include "parse.h"

int any_name(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	__be16 *word = pkt.l4;

	if (!word || (void *)(word + 6) > pkt.end || pkt.protocol != IPPROTO_UDP)
		return XDP_PASS;
	return word[0] == htons(53) && word[5] & htons(0x8000) ? XDP_DROP : XDP_PASS;
}
""",
}


def flagged(flags, questions=1):
    """A DNS header and a question, from port 53."""
    head = struct.pack("!6H", 0, flags, questions, 0, 0, 0)
    return IP() / FROM_53 / (head + b"\7example\3org\0\0\1\0\1")


ANSWER = DNS(id=0, qr=1, rd=0)
QUESTION = DNS(id=0, qr=0, rd=0, qd=DNSQR(qname="example.org"))
OTHER_BIT = DNS(id=0, qr=0, rd=0, ra=1, qd=DNSQR(qname="example.org"))
FROM_53 = UDP(sport=53, dport=4242)

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

CASES = [
    ("a question to port 53", IP() / UDP(sport=4242, dport=53) / QUESTION, PASS, QUESTIONS),
    ("a question from port 53", IP() / FROM_53 / QUESTION, PASS, BOTH),
    ("a question from port 53, its flags 0x0080", IP() / FROM_53 / OTHER_BIT, PASS, BIT),
    ("a packet from port 53 with no flag, and no question in it", flagged(0, 0), PASS, FIELDS),
    *((f"a question from port 53, its flags {1 << bit:#06x}", flagged(1 << bit), PASS, NEIGHBOURS)
      for bit in range(15)),
    ("an answer to port 53, from another port", IP() / UDP(sport=4242, dport=53) / ANSWER, PASS,
     PORT),
    ("such bits from port 13568", IP() / UDP(sport=13568, dport=4242) / ANSWER, PASS, SWAPPED),
    ("such bits from port 309", IP() / UDP(sport=309, dport=4242) / ANSWER, PASS, HALF),
    ("such bits from port 80", IP() / UDP(sport=80, dport=4242) / ANSWER, PASS, PORT),
    ("TCP from port 53, with such bits", IP() / TCP(sport=53, ack=0x80008000), PASS, NOT_UDP),
    ("ARP", ARP(), PASS, "ARP carries no UDP."),
    ("a DNS answer, nothing else in its flags", IP() / FROM_53 / ANSWER, DROP, WHOLE),
    ("a DNS answer as servers send it, its flags 0x8180",
     IP() / FROM_53 / DNS(id=0x4242, qr=1, rd=1, ra=1, qd=DNSQR()), DROP, BESIDE),
    *((f"a DNS answer, its flags {0x8000 | flags:#06x}", flagged(0x8000 | flags), DROP, BESIDE)
      for flags in (0x0583, 0x7FFF, *(1 << bit for bit in range(15)))),
    ("a DNS answer that does not repeat the question", flagged(0x8000, 0), DROP, MORE),
    ("a DNS answer from port 53 to port 53", IP() / UDP(sport=53, dport=53) / ANSWER, DROP, MORE),
    ("a DNS answer over IPv6", IPv6() / FROM_53 / ANSWER, DROP,
     "Over IPv6, too: parse() has found UDP there as well."),
    ("a DNS answer with a VLAN tag", Dot1Q(vlan=7) / IP() / FROM_53 / ANSWER, DROP,
     "parse() walks over VLAN tags. Does your program ask for more?"),
    ("a DNS answer with IP options", IP(options=b"\x01" * 8) / FROM_53 / ANSWER, DROP,
     "With options UDP lies further back, and parse() knows where."),
    ("UDP from port 53 with nothing in it", IP() / FROM_53, PASS,
     "No DNS header is there: leave it to the stack."),
    ("a later fragment that looks like an answer from port 53",
     IP(frag=3, proto=17) / bytes(FROM_53 / ANSWER), PASS,
     "A later fragment has no ports. What does parse() put into pkt.l4 for it?"),
]  # fmt: skip


def check(program):
    expect_each(program, CASES)
