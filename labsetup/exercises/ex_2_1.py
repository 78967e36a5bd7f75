"""A header field, in the byte order of the wire."""

from ..packets import ARP, ICMP, IP, TCP, Dot1Q, Ether, ICMPv6EchoRequest, IPv6
from . import ABORTED, DROP, PASS, expect, expect_each

TITLE = "No ARP"
TEXT = """
The server that nobody could find: **drop ARP, and nothing else.** Its EtherType has the name
`ETH_P_ARP`.
"""
NAME = "no_arp"
STARTER = """#include "xdp.h"

int no_arp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;

	/* your code */
	return XDP_PASS;
}
"""
STARTER_SAYS = "an ARP request"
HINTS = (
    "Which field of the Ethernet header says what comes next?",
    "drop_icmp compares that field with ETH_P_IP. What is around the constant there, and why?",
    "One if, with htons(ETH_P_ARP), that returns XDP_DROP.",
)
SOLUTION = STARTER.replace(
    "	/* your code */\n", "	if (eth->h_proto == htons(ETH_P_ARP))\n		return XDP_DROP;\n"
)
COMPARE = "How many bytes does yours read, and has it compared for all of them?"
NEXT = (
    "Attach it and ping; then flush the client's neighbours as above, and ping with -c 1 -W 5. "
    "What does the client say now? no_arp.detach() lets the two find each other again."
)

FIELD = "eth->h_proto == htons(ETH_P_ARP)"
NEAR_MISSES = {
    "host byte order": ([("htons(ETH_P_ARP)", "ETH_P_ARP")], "0x0608"),
    "everything but ARP": ([("==", "!=")], "Only ARP"),
    "IPv4 by habit": ([("ETH_P_ARP", "ETH_P_IP")], "Only ARP"),
    "half of the field": (
        [(FIELD, "*(u8 *)&eth->h_proto == 8")],
        "Only ARP",
    ),
    "the verdict of a failure": ([("DROP", "ABORTED")], "leaves a trace"),
    "one byte too strict": ([("(eth + 1) >", "(eth + 1) >=")], "one byte too strict"),
}  # fmt: skip
ALTERNATIVES = {
    "byte by byte": """#include "xdp.h"

int another_name(struct xdp_md *ctx)
{
	u8 *byte = (void *)(long)ctx->data;

	if ((void *)(byte + 14) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	return byte[12] == 0x08 && byte[13] == 0x06 ? XDP_DROP : XDP_PASS;
}
""",
    "the field turned round, not the constant": [(FIELD, "ntohs(eth->h_proto) == ETH_P_ARP")],
    "nested": """#include "xdp.h"

int no_arp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	int verdict = XDP_PASS;

	if (data + sizeof(*eth) <= data_end) {
		switch (eth->h_proto) {
		case htons(ETH_P_ARP):
			verdict = XDP_DROP;
		}
	}
	return verdict;
}
""",
}

SWAPPED = "0x0608 is ARP's 0x0806 with its two bytes in the other order."
ONLY = "Only ARP is to be dropped. What does the condition say of this one?"
ARP_IS = "Which field says that ARP comes next, and which byte of it travels first?"
STRICT = "All 14 bytes of the header are there. Is your comparison one byte too strict?"
TRACE = "That verdict leaves a trace, as for a program that failed."

CASES = [
    ("a ping", IP() / ICMP(), PASS, ONLY),
    ("TCP", IP() / TCP(), PASS, ONLY),
    ("a ping over IPv6", IPv6() / ICMPv6EchoRequest(), PASS, ONLY),
    ("a frame of EtherType 0x0608", Ether(type=0x0608) / b"experiment", PASS, SWAPPED),
    ("a VLAN tag", Ether() / Dot1Q() / IP() / ICMP(), PASS, ONLY),
    ("a frame of EtherType 0x8806", Ether(type=0x8806) / b"experiment", PASS, ONLY),
    ("an ARP request", Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(), DROP, ARP_IS),
    ("an ARP reply", ARP(op="is-at"), DROP, ARP_IS),
    ("ARP, its Ethernet header alone", Ether(type=0x0806), DROP, STRICT),
]


def check(program):
    if program.run(ARP()).verdict == ABORTED:
        expect(program, "an ARP request", ARP(), DROP, TRACE)
    expect_each(program, CASES)
