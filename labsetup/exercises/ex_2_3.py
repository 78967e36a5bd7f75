"""A third header, and where it begins."""

from ..packets import DNS, DNSQR, ICMP, IP, TCP, UDP, Ether, frame
from . import DROP, PASS, expect_each

TITLE = "A port"
TEXT = """
**Drop UDP to port 53**, over IPv4, and nothing else: not from port 53, not TCP.

`headers.h` brings `struct udphdr`, with `source` and `dest`, and `IPPROTO_UDP`. UDP begins where
IPv4 ends: `ip->ihl` is the length of the IPv4 header in words of four bytes, 5 for most packets and
more with options. To go on by bytes, make a pointer a `void *` before you add.
"""
NAME = "no_dns"
STARTER = """#include "headers.h"

int no_dns(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;
	if (eth->h_proto != htons(ETH_P_IP))
		return XDP_PASS;

	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > data_end)
		return XDP_PASS;

	/* your code */
	return XDP_PASS;
}
"""
STARTER_SAYS = "a DNS question"
HINTS = (
    "Three steps: is it UDP? Where does it begin, and is it all there? Which port is it for?",
    "A port has two bytes, and in a packet they have an order of their own: what does drop_icmp "
    "put around such a constant?",
    "ip + 20 is 20 headers further on, (void *)ip + 20 is 20 bytes. ihl counts words of four "
    "bytes. After adding, compare pointers: leave when (void *)(udp + 1) > data_end.",
)
SOLUTION = STARTER.replace(
    "	/* your code */\n",
    """	if (ip->protocol != IPPROTO_UDP)
		return XDP_PASS;

	struct udphdr *udp = (void *)ip + ip->ihl * 4;
	if ((void *)(udp + 1) > data_end)
		return XDP_PASS;
	if (udp->dest == htons(53))
		return XDP_DROP;

""",
)
COMPARE = (
    "In which order does yours ask? The cheapest question that sends most packets away goes first."
)
NEXT = (
    "The second fragment of a large datagram has no ports: what stands in their place, and what "
    "does your program make of it? Lesson 04 comes back to it."
)

NEAR_MISSES = {
    "host byte order": ([("htons(53)", "53")], "13568"),
    "turned round in four bytes": ([("htons(53)", "htonl(53)")], "clang warns of"),
    "no verdict at the end": (
        [("		return XDP_DROP;\n\n	return XDP_PASS;\n", "		return XDP_DROP;\n")],
        "does not return a value",
    ),
    "IP options ignored": ([("ip->ihl * 4", "sizeof(*ip)")], "with IP options"),
    "ihl taken for bytes": ([("ip->ihl * 4", "ip->ihl")], "words of four bytes"),
    "added in headers, not in bytes": (
        [("(void *)ip + ip->ihl * 4", "(void *)(ip + ip->ihl * 4)")], "In which units does C add",
    ),
    "added in headers, and not even in words": (
        [("(void *)ip + ip->ihl * 4", "(void *)(ip + ip->ihl)")], "In which units does C add",
    ),
    "added in headers, and said so nowhere": (
        [("(void *)ip + ip->ihl * 4", "ip + ip->ihl * 4")], "In which units",
    ),
    "added from the end of the header on": (
        [("(void *)ip + ip->ihl * 4", "(void *)(ip + 1) + ip->ihl * 4")], "and from where on",
    ),
    "the port it comes from": ([("udp->dest", "udp->source")], "from port 53"),
    "either port": (
        [("udp->dest == htons(53)", "udp->dest == htons(53) || udp->source == htons(53)")],
        "from port 53",
    ),
    "any protocol": (
        [("	if (ip->protocol != IPPROTO_UDP)\n		return XDP_PASS;\n", "")], "is not UDP",
    ),
    "TCP by mistake": ([("IPPROTO_UDP", "IPPROTO_TCP")], "is not UDP"),
    "over whatever may be there": (
        [("	if (eth->h_proto != htons(ETH_P_IP))\n		return XDP_PASS;\n", "")], "is not IPv4",
    ),
    "all UDP": ([("udp->dest == htons(53)", "udp->dest")], "another port"),
    "no bounds check": (
        [("	if ((void *)(udp + 1) > data_end)\n		return XDP_PASS;\n", "")],
        "the very pointer that you read",
    ),
    "the first byte of the port only": (
        [("udp->dest == htons(53)", "*((u8 *)&udp->dest + 1) == 53")], "another port",
    ),
}  # fmt: skip
ALTERNATIVES = {
    "with the header walker of lesson 04": """#include "parse.h"

int no_dns(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	struct udphdr *udp = pkt.l4;

	if (!pkt.ip || pkt.protocol != IPPROTO_UDP || !udp || (void *)(udp + 1) > pkt.end)
		return XDP_PASS;
	return udp->dest == htons(53) ? XDP_DROP : XDP_PASS;
}
""",
    "byte by byte": """int somebody_elses(struct xdp_md *ctx)
{
	unsigned char *byte = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (byte + 34 > end || byte[12] != 8 || byte[13] != 0 || byte[23] != 17)
		return XDP_PASS;
	byte += 14 + (byte[14] & 15) * 4;
	if (byte + 8 > end)
		return XDP_PASS;
	return byte[2] == 0 && byte[3] == 53 ? XDP_DROP : XDP_PASS;
}
""",
    "only the ports need be there": [
        ("(void *)(udp + 1) > data_end", "(void *)(&udp->dest + 1) > data_end")
    ],
}

DNS_QUESTION = UDP(sport=4242, dport=53) / DNS(qd=DNSQR(qname="example.org"))
DNS_ANSWER = UDP(sport=53, dport=4242) / DNS(qr=1)
OPTIONS = b"\x01" * 8  # two words of nothing
LOOKALIKE = b"\0\x35\0\x35\x01\x01\x01\x01"

LIKE_DNS = frame(IP() / DNS_QUESTION)[14:]

FIFTY_THREES = b"\0\x35" * 300  # wherever it is taken for a header, its port is 53

SWAPPED = "13568 is 53 with its two bytes in the other order."
OTHER = "That is another port."
NOT_UDP = "That is not UDP. Which field says so?"
WHERE = (
    "Is it found to be UDP? Where does UDP begin? ihl counts words of four bytes, from the first "
    "byte of IPv4 on. And in which order do the two bytes of a port travel?"
)

CASES = [
    ("UDP to port 80", IP() / UDP(sport=4242, dport=80), PASS, OTHER),
    ("UDP to port 13568", IP() / UDP(sport=4242, dport=13568), PASS, SWAPPED),
    ("a DNS answer, UDP from port 53", IP() / DNS_ANSWER, PASS,
     "It comes from port 53. To which port does it go?"),
    ("UDP to port 4661", IP() / UDP(sport=4242, dport=0x1235), PASS, OTHER),
    ("TCP to port 53", IP() / TCP(sport=4242, dport=53), PASS, NOT_UDP),
    ("ICMP", IP() / ICMP(code=53) / b"\0\x35\0\x35", PASS, NOT_UDP),
    ("UDP to port 80 with a TTL of 53", IP(ttl=53) / UDP(sport=4242, dport=80), PASS,
     "That is its TTL, not its port. Is what you add counted in bytes? ihl counts words of four "
     "bytes."),
    ("UDP to port 80 with many a 53 in its payload",
     IP() / UDP(sport=4242, dport=80) / FIFTY_THREES, PASS,
     "This 53 lies far behind the ports. In which units does C add to your pointer, and from where "
     "on? ihl counts from the first byte of IPv4."),
    ("a DNS question, UDP to port 53", IP() / DNS_QUESTION, DROP, WHERE),
    ("an empty datagram to port 53", IP() / UDP(sport=4242, dport=53), DROP,
     "Its 8 bytes are all there. Does your comparison ask for more?"),
    ("a DNS question with IP options", IP(options=OPTIONS) / DNS_QUESTION, DROP,
     "With options, UDP begins further back. Which field knows where?"),
    ("UDP to port 80, and options with a 53 in them",
     IP(options=LOOKALIKE) / UDP(sport=4242, dport=80), PASS,
     "These are IP options. Where does UDP begin?"),
    ("something unknown, with the bytes of a DNS question", Ether(type=0x88B5) / LIKE_DNS, PASS,
     "That is not IPv4. Which field says so?"),
    ("a DNS question cut off in front of its ports", frame(IP() / DNS_QUESTION)[:34], PASS,
     "There are no ports in it: leave it to the stack."),
]  # fmt: skip


def check(program):
    expect_each(program, CASES)
