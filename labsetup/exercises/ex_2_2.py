"""A read that the verifier refuses, and the comparison that is missing."""

from ..packets import ARP, ICMP, IP, TCP, UDP, Ether, IPv6, frame
from . import DROP, PASS, expect_each

TITLE = "The missing check"
TEXT = """
A colleague wants to drop packets at the end of their life: IPv4 with a TTL of 1. The program looks
right, and the verifier refuses it.

**Find what is missing, and mend it.** The first line of the error names the line; its last lines
say where it reads, and how many bytes have been proved.
"""
NAME = "last_hop"
STARTER = """#include "xdp.h"

int last_hop(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;
	if (eth->h_proto != htons(ETH_P_IP))
		return XDP_PASS;

	struct iphdr *ip = (void *)(eth + 1);
	if (ip->ttl == 1)
		return XDP_DROP;

	return XDP_PASS;
}
"""
STARTER_SAYS = "it reads the packet at offset 22, and has proved that 14 bytes are there"
HINTS = (
    "The Ethernet header has 14 bytes, and the comparison proves that they are there. Which bytes "
    "does ip->ttl need?",
    "Each header needs a comparison of its own, before the first read of it: of a pointer with "
    "data_end, since the verifier does not follow a comparison of lengths.",
    "The same two lines as for eth, with ip, right after the pointer is set. Who leaves there is "
    "the frame that is too short: its header's end is > data_end.",
)
SOLUTION = STARTER.replace(
    "	struct iphdr *ip = (void *)(eth + 1);\n",
    "	struct iphdr *ip = (void *)(eth + 1);\n	if ((void *)(ip + 1) > data_end)\n"
    "		return XDP_PASS;\n",
)
COMPARE = (
    "One comparison for both headers, ahead of all reads, would do as well. Which reads better?"
)
NEXT = (
    "Move ip up, its declaration and its comparison, in front of the first read of eth, and take "
    "the comparison of eth out. Does the verifier mind? Why not?"
)

CHECK = "if ((void *)(ip + 1) > data_end)"
NEAR_MISSES = {
    "the check after the read": (
        [
            (f"	{CHECK}\n		return XDP_PASS;\n", ""),
            ("DROP;\n", f"DROP;\n	{CHECK}\n		return XDP_PASS;\n"),
        ],
        "has proved that 14 bytes",
    ),
    "the start compared, not the end": (
        [("(void *)(ip + 1) >", "(void *)ip >")], "has proved that 14 bytes",
    ),
    "the same check once more": (
        [("(void *)(ip + 1) >", "(void *)(eth + 1) >")], "has proved that 14 bytes",
    ),
    "the wrong way round": ([("(ip + 1) >", "(ip + 1) <")], "leaves where the bytes are there"),
    "short frames dropped": (
        [(f"{CHECK}\n		return XDP_PASS;", f"{CHECK}\n		return XDP_DROP;")],
        "may be too short",
    ),
    "added in headers, not in bytes": (
        [("(void *)(ip + 1) >", "(void *)(ip + sizeof(*ip)) >")], "in which units",
    ),
    "the same, and a pointer of another kind": (
        [("(void *)(ip + 1) >", "ip + sizeof(struct iphdr) >")],
        "How far on does ip point",
    ),
    "IPv4 one byte behind the beginning": (
        [("*ip = (void *)(eth + 1)", "*ip = (void *)eth + 1")], "How far on does ip point",
    ),
    "as many bytes as two Ethernet headers": (
        [("(void *)(ip + 1) >", "(void *)(eth + 2) >")], "For how many bytes",
    ),
    "as many bytes as are read": ([("(void *)(ip + 1) >", "data + 23 >")], "For how many bytes"),
    "one byte too strict": ([("(ip + 1) >", "(ip + 1) >=")], "20 bytes of IPv4"),
    "whatever the frame carries": (
        [("	if (eth->h_proto != htons(ETH_P_IP))\n		return XDP_PASS;\n", "")], "no TTL at all",
    ),
    "at the end, or behind it": ([("ip->ttl == 1", "ip->ttl <= 1")], "0 is not 1"),
    "the read taken out instead": ([("ip->ttl == 1", "0")], "has a TTL of 1"),
}  # fmt: skip
ALTERNATIVES = {
    "one comparison for both": """#include "xdp.h"

int last_hop(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > data_end)
		return XDP_PASS;
	return eth->h_proto == htons(ETH_P_IP) && ip->ttl == 1 ? XDP_DROP : XDP_PASS;
}
""",
    "by number of bytes": [(CHECK, "if (data + 34 > data_end)")],
}


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

NONE = "That is not IPv4 and has no TTL at all. Which field says so?"

CASES = [
    ("a ping with a TTL of 1", DYING, DROP, FIRST),
    ("a ping with a TTL of 2", IP(ttl=2) / ICMP(), PASS, "This one may live on."),
    ("TCP with a TTL of 1", IP(ttl=1) / TCP(), DROP, "TCP may die, too."),
    ("ARP", ARP(), PASS, "ARP has no TTL."),
    ("IPv6, with a 1 where IPv4 has its TTL", IPv6(src="100::1") / UDP(), PASS, NONE),
    ("something unknown, with a 1 in that place", Ether(type=0x88B5) / DYING[14:], PASS, NONE),
    ("a ping with a TTL of 0", IP(ttl=0) / ICMP(), PASS, "0 is not 1."),
    ("IPv4, its header and no more", DYING[:34], DROP, WHOLE),
    ("IPv4, cut off in the middle of its header", DYING[:30], PASS, SHORT),
]


def check(program):
    expect_each(program, CASES)
