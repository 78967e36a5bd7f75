"""The carry of ones' complement: right for nearly every packet is wrong."""

import struct

from ..packets import ARP, ICMP, IP, TCP, UDP, Ether, IPv6, frame
from . import PASS, Wrong, expect, expect_each

TITLE = "Right nearly always"
TEXT = """
How far a packet has come shows in its TTL. A colleague hides it: every IPv4 packet goes on to the
stack **with a TTL of 64, and a header checksum that is right**. The program passed all tests, and
in production one packet in thousands is thrown away.

**Find a packet for which it is wrong, and mend the program.**
"""
NAME = "same_ttl"
STARTER = """#include "xdp.h"

int same_ttl(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > data_end || eth->h_proto != htons(ETH_P_IP))
		return XDP_PASS;
	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > data_end)
		return XDP_PASS;

	/* The sum falls by what the TTL rises, and the checksum the other way. */
	ip->check += htons((ip->ttl - 64) << 8);
	ip->ttl = 64;
	return XDP_PASS;
}
"""
STARTER_SAYS = "(wrong)"
HINTS = (
    "Vary the id of a packet, and with it its checksum: same_ttl.run(IP(id=n, ttl=3) / ICMP()). "
    "Which checksums come out wrong: the large ones, or the small ones?",
    "The lesson's hasty made the same mistake: an addition of 16 bits throws its carry away. What "
    "does checksum.h do with it?",
    "Keep the old TTL in a u8. Then include checksum.h and use mended(), from htons(old << 8) to "
    "htons(64 << 8); or add in a u32, and what is above 16 bits once more.",
)
SOLUTION = STARTER.replace('#include "xdp.h"', '#include "checksum.h"').replace(
    """	/* The sum falls by what the TTL rises, and the checksum the other way. */
	ip->check += htons((ip->ttl - 64) << 8);
""",
    """	ip->check = mended(ip->check, htons(ip->ttl << 8), htons(64 << 8));
""",
)
COMPARE = (
    "Whoever adds up the whole header anew never forgets a carry, and pays for 20 bytes instead of "
    "two. What becomes then of a checksum that was wrong when it came?"
)
NEXT = (
    "Count, as the lesson does: for how many of the 65,536 checksums was the colleague's sum "
    "wrong, with a TTL of 3? And with 63?"
)

MEND = "ip->check = mended(ip->check, htons(ip->ttl << 8), htons(64 << 8));\n"
BY_HAND = """u16 old = htons(ip->ttl << 8), new = htons(64 << 8);
	u32 sum = (u16)~ip->check + (u16)~old + new;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~sum;
"""
ANEW = """ip->ttl = 64;
	ip->check = 0;
	u32 sum = 0, length = ip->ihl * 4;
	u16 *word = (void *)ip;
	for (int i = 0; i < 30 && i * 2 < length; i++, word++) {
		barrier_var(word);
		if ((void *)(word + 1) > data_end)
			return XDP_PASS;
		sum += *word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~sum;
"""
NEAR_MISSES = {
    "the carry forgotten": (STARTER, "(wrong)"),
    "a carry in one direction only": (
        [(MEND, "u32 sum = ip->check + htons((ip->ttl - 64) << 8);\n"
          "	ip->check = sum + (sum >> 16);\n")],
        "in the other direction",
    ),
    "no checksum at all": ([(f"	{MEND}", "")], "IP chksum"),
    "the TTL set first, and its old value gone": (
        [(f"	{MEND}	ip->ttl = 64;\n", f"	ip->ttl = 64;\n	{MEND}")], "IP chksum",
    ),
    "from and to exchanged": (
        [("htons(ip->ttl << 8), htons(64 << 8)", "htons(64 << 8), htons(ip->ttl << 8)")],
        "IP chksum",
    ),
    "the wrong half of the word": (
        [("htons(ip->ttl << 8), htons(64 << 8)", "htons(ip->ttl), htons(64)")], "IP chksum",
    ),
    "host byte order": (
        [("htons(ip->ttl << 8), htons(64 << 8)", "ip->ttl << 8, 64 << 8")], "IP chksum",
    ),
    "added up anew, options left out": (
        [(f"{MEND}	ip->ttl = 64;\n", ANEW.replace("ip->ihl * 4", "20"))], "with IP options",
    ),
    "only TTLs above 64 lowered": (
        [(f"	{MEND}", f"	if (ip->ttl <= 64)\n		return XDP_PASS;\n	{MEND}")], "IP ttl",
    ),
}  # fmt: skip
ALTERNATIVES = {
    "by hand, as in RFC 1624": [(MEND, BY_HAND)],
    "added up anew": [(f"{MEND}	ip->ttl = 64;\n", ANEW)],
    "a carry and a borrow": [
        (
            MEND,
            """int sum = (int)htons(64 << 8) - (int)htons(ip->ttl << 8);

	sum = ip->check - sum;
	if (sum < 0)
		sum -= 1;
	if (sum > 0xffff)
		sum += 1;
	ip->check = sum;
""",
        )
    ],
}
