"""The carry of ones' complement: right for nearly every packet is wrong."""

import struct

from ..packets import ARP, ICMP, IP, TCP, UDP, Ether, IPv6, frame
from . import PASS, Wrong, equal, expect

TITLE = "Right nearly always"
TEXT = """
The TTL with which packets start betrays a system: 64 here, 128 or 255 there. A colleague hides it:
**a TTL above 64 becomes 64, and the checksum of the IPv4 header stays right.** Every packet goes
on; a few have IP options.

The program passed all tests. In production some packets are thrown away, one in hundreds. **Find
one for which it is wrong, and mend the program.** `same_ttl.run(packet)` says whether a checksum is
right; the check names one packet for which yours is not.
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
	if (ip->ttl <= 64)
		return XDP_PASS;

	ip->check += htons((ip->ttl - 64) << 8); /* what the TTL loses, it gains */
	ip->ttl = 64;
	return XDP_PASS;
}
"""
STARTER_SAYS = "are wrong"
HINTS = (
    "Only the checksum decides, and id moves it. [n for n in range(14_557, 40_000, 2_560) if "
    "'wrong' in repr(same_ttl.run(IP(id=n, ttl=255) / ICMP()))] finds ten in a moment. What have "
    "their checksums before in common?",
    "The lesson's hasty made the same mistake: an addition of 16 bits throws its carry away. What "
    "does checksum.h do with it?",
    "Include checksum.h and use mended(), from htons(ip->ttl << 8) to htons(64 << 8), while the "
    "old TTL is there. Or add in a u32, and what is above its lower 16 bits once more.",
)
SOLUTION = STARTER.replace('#include "xdp.h"', '#include "checksum.h"').replace(
    "	ip->check += htons((ip->ttl - 64) << 8); /* what the TTL loses, it gains */\n",
    """	ip->check = mended(ip->check, htons(ip->ttl << 8), htons(64 << 8));
""",
)
COMPARE = (
    "Whoever adds up the whole header anew never forgets a carry, and pays for 20 bytes instead of "
    "two. What becomes then of a checksum that was wrong when it came?"
)
NEXT = (
    "Count, as the lesson does: for how many of the 65,536 checksums was the colleague's sum "
    "wrong, with a TTL of 255? And with 65?"
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
#pragma unroll
	for (int i = 0; i < 30; i++) {
		u16 *word = (void *)ip + i * 2;
		if (i * 2 >= length)
			break;
		if ((void *)(word + 1) > data_end)
			return XDP_PASS;
		sum += *word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~sum;
"""
HARD = "if (ip->check > 0xffff - htons((ip->ttl - 64) << 8))\n"
NEAR_MISSES = {
    "the carry forgotten": (
        STARTER,
        "as with the colleague's program; the one with id 14557: 0xfeff → 0xbd00, 0xbe00 is right",
    ),
    "turned round and back, the carry still forgotten": (
        [(MEND, "ip->check = htons(ntohs(ip->check) + ((ip->ttl - 64) << 8));\n")],
        "What becomes of the carry in your sum",
    ),
    "a carry that is lost a second time": (
        [(MEND, "u32 sum = ip->check + htons((ip->ttl - 64) << 8);\n\n"
          "	ip->check = (sum & 0xffff) + (sum >> 16 << 8);\n")],
        "What becomes of the carry in your sum",
    ),
    "the carry added, from a sum that had no room for it": (
        [(MEND, "u16 sum = ip->check + htons((ip->ttl - 64) << 8);\n\n"
          "	ip->check = (sum & 0xffff) + (sum >> 16);\n")],
        "room for more than 16 bits",
    ),
    "room for the carry, and nothing done with it": (
        [(MEND, "u32 sum = ip->check + htons((ip->ttl - 64) << 8);\n\n	ip->check = sum;\n")],
        "where do those above them go",
    ),
    "the carry taken off": (
        [(MEND, "u32 sum = ip->check + htons((ip->ttl - 64) << 8);\n\n"
          "	if (sum > 65535)\n		sum = sum - 65536;\n	ip->check = sum;\n")],
        "where do those above them go",
    ),
    "the carry put in, not added": (
        [(MEND, "u32 sum = ip->check + htons((ip->ttl - 64) << 8);\n\n"
          "	ip->check = (sum & 0xffff) | (sum >> 16);\n")],
        "fewer than with the colleague's program",
    ),
    "the hard ones left alone": (
        [(MEND, f"{HARD}		return XDP_PASS;\n	{MEND}")],
        "Which packets does yours leave alone",
    ),
    "the hard ones dropped": (
        [(MEND, f"{HARD}		return XDP_DROP;\n	{MEND}")], "Which packets does yours stop",
    ),
    "some get another TTL": (
        [("	ip->ttl = 64;\n", "	ip->ttl = ip->check < 0x100 ? 63 : 64;\n")], "IP ttl",
    ),
    "no checksum at all": ([(f"	{MEND}", "")], "the same as before"),
    "the TTL set first, and its old value gone": (
        [(f"	{MEND}	ip->ttl = 64;\n", f"	ip->ttl = 64;\n	{MEND}")],
        "which TTL stands in the header",
    ),
    "from and to exchanged": (
        [("htons(ip->ttl << 8), htons(64 << 8)", "htons(64 << 8), htons(ip->ttl << 8)")],
        "Which 16 bits change, from what to what",
    ),
    "taken off, not added": (
        [(MEND, "ip->check = ip->check - htons((ip->ttl - 64) << 8);\n")], "rise or fall",
    ),
    "by hand, and ~ of more than 16 bits": (
        [(MEND, BY_HAND.replace("(u16)", ""))], "how many bits does that give",
    ),
    "the wrong half of the word": (
        [("htons(ip->ttl << 8), htons(64 << 8)", "htons(ip->ttl), htons(64)")], "IP chksum: 0x",
    ),
    "host byte order": (
        [("htons(ip->ttl << 8), htons(64 << 8)", "ip->ttl << 8, 64 << 8")], "IP chksum: 0x",
    ),
    "added up anew, options left out": (
        [(f"{MEND}	ip->ttl = 64;\n", ANEW.replace("ip->ihl * 4", "20"))], "with IP options",
    ),
    "every TTL": ([("	if (ip->ttl <= 64)\n		return XDP_PASS;\n", "")], "IP ttl"),
    "64 is too much already": ([("ip->ttl <= 64)", "ip->ttl <= 65)")], "IP ttl"),
}  # fmt: skip
ALTERNATIVES = {
    "by hand, as in RFC 1624": [(MEND, BY_HAND)],
    "added up anew": [(f"{MEND}	ip->ttl = 64;\n", ANEW)],
    "the carry added by a condition": [
        (
            MEND,
            """u16 gain = htons((ip->ttl - 64) << 8);

	ip->check += gain;
	if (ip->check < gain)
		ip->check++;
""",
        )
    ],
}


def total(header):
    """The ones' complement sum of its words; with a right checksum among them 0xffff."""
    words = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while words > 0xFFFF:
        words = (words & 0xFFFF) + (words >> 16)
    return words


def pings(ttl=255):
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


def id_of(raw):
    """The id in its IPv4 header."""
    return int.from_bytes(raw[18:20])


def lowered(raw, check):
    """The same frame with a TTL of 64 and another checksum."""
    return raw[:22] + b"\x40" + raw[23:24] + check + raw[26:]


def colleagues(raw):
    """What the starter makes of it, with a sum of 16 bits in the order of this machine."""
    (check,) = struct.unpack_from("<H", raw, 24)
    return lowered(raw, struct.pack("<H", (check + raw[22] - 64) & 0xFFFF))


def is_right(raw):
    """Whether a receiver takes the IPv4 header for whole."""
    return total(raw[14 : 14 + (raw[14] & 15) * 4]) == 0xFFFF


def checksum(raw):
    """That of its IPv4 header."""
    return int.from_bytes(raw[24:26])


def right_checksum(raw):
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
PACKETS = [
    ("a ping with a TTL of 128", IP(ttl=128) / ICMP(), SUM),
    ("TCP with a TTL of 255", IP(ttl=255) / TCP(), SUM),
    ("UDP with a TTL of 65", IP(ttl=65) / UDP(), SUM),
    ("a ping with a TTL of 64", IP(ttl=64) / ICMP(), SUM),
    ("a ping with a TTL of 3", IP(ttl=3) / ICMP(), SUM),
    ("a ping with IP options and a TTL of 128",
     IP(ttl=128, options=b"\x01" * 3 + b"\x94\x04\0\0\0") / ICMP(), LONGER),
]  # fmt: skip


def check(program):
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
    for what, packet in {
        "ARP": ARP(),
        "IPv6": IPv6(),
        "an unknown one": Ether(type=0x88B5),
    }.items():
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
        ping, after = wrong[0]
        happened = (
            f"{len(wrong)} of them are wrong, {how}; the one with id {id_of(ping)}: "
            f"{checksum(ping):#06x} → {checksum(after):#06x}, {right_checksum(after):#06x} is right"
        )
        raise Wrong(sent, "all checksums are right", happened, think)
