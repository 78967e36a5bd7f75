"""A key that comes out of the packet."""

from ..hosts import cpus
from ..packets import ARP, ICMP, IP, TCP, UDP, Ether, ICMPv6EchoRequest, IPv6, frame
from . import LOST, PASS, Wrong, at_once, equal, expect, summed

TITLE = "By protocol"
TEXT = """
**Count IPv4 packets by what they carry**: `ip->protocol` is the key of an array with 256 elements,
and each packet adds one to its own. Packets that are not IPv4 add nothing. Every packet goes on.
"""
NAME = "by_protocol"
STARTER = """#include "xdp.h"

BPF_PERCPU_ARRAY(protocols, u64, 256);

int by_protocol(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	/* your code */
	return XDP_PASS;
}
"""
STARTER_SAYS = "protocols[1] 0"
HINTS = (
    "The way to ip is the one of icmp_count. Which of its questions do you not ask this time?",
    "The key of an array is an int. What is in it when the packet is TCP?",
    "int key = ip->protocol; then lookup(&key); and if (count), *count += 1. Where count is NULL "
    "there is nothing to write to.",
)
SOLUTION = STARTER.replace(
    "	/* your code */\n",
    """	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;
	if (eth->h_proto != htons(ETH_P_IP))
		return XDP_PASS;

	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > data_end)
		return XDP_PASS;

	int key = ip->protocol;
	u64 *count = protocols.lookup(&key);
	if (count)
		*count += 1;

""",
)
COMPARE = "Why has the array 256 elements? Could a packet make yours look beyond the last one?"
NEXT = (
    "Attach it, ping, and send(net.client.eth0, IP() / UDP()). Then show what is not zero: "
    "{k: v for k, v in by_protocol['protocols'].items() if v.sum}. At the end "
    "counter.attach(net.server.eth0) brings the lesson's own counter back."
)

KEY = "int key = ip->protocol;"
ASK_IP = "	if (eth->h_proto != htons(ETH_P_IP))\n		return XDP_PASS;\n"
NEAR_MISSES = {
    "one element for all": ([(KEY, "int key = 0;")], "another element"),
    "IPv4 where Ethernet begins": (
        [("*ip = (void *)(eth + 1)", "*ip = data")], "Is ip where IPv4 begins",
    ),
    "what looks like IPv4": (
        [(ASK_IP, ""), ("		return XDP_PASS;\n\n	int key",
                        "		return XDP_PASS;\n	if (ip->version != 4)\n"
                        "		return XDP_PASS;\n\n	int key")],
        "not IPv4",
    ),
    "ICMP only": (
        [(KEY, "int key = ip->protocol;\n	if (key != IPPROTO_ICMP)\n		return XDP_PASS;")],
        "not counted",
    ),
    "all that is not IPv4, too": ([(ASK_IP, "")], "not IPv4"),
    "EtherType in host byte order": ([("htons(ETH_P_IP)", "ETH_P_IP")], "in the order of the wire"),
    "set, not raised": ([("*count += 1", "*count = 1")], "It is set, not raised"),
    "a question too many": (
        [(KEY, f"if (ip->protocol != IPPROTO_ICMP)\n		return XDP_PASS;\n	{KEY}")],
        "Which question sends it away",
    ),
    "the field in front of it": ([("ip->protocol", "ip->ttl")], "another field"),
    "the key one byte wide": (
        [(KEY, "u8 key = ip->protocol;"), ("lookup(&key)", "lookup((int *)&ip->protocol)")],
        "Is it an int of its own",
    ),
    "a protocol's bytes": ([("*count += 1", "*count += data_end - data")], "adds more than one"),
    "added to the pointer": ([("*count += 1", "count += 1")], "to the pointer, or to what"),
    "one more, for the pointer": ([("*count += 1", "count++")], "to the pointer, or to what"),
    "the pointer moved": ([("*count += 1", "*count++")], "expression result unused"),
    "dropped once counted": ([("1;\n\n	return XDP_PASS", "1;\n\n	return XDP_DROP")], "goes on"),
    "too few elements": ([("256", "17")], "not counted"),
}  # fmt: skip
if len(cpus()) > 1:  # with one CPU there is no difference
    NEAR_MISSES["one counter for all CPUs"] = ([("PERCPU_ARRAY", "ARRAY")], LOST)
ALTERNATIVES = {
    "with BCC's own word for it": [
        (f"	{KEY}\n	u64 *count = protocols.lookup(&key);\n	if (count)\n", ""),
        ("		*count += 1;", "	protocols.increment(ip->protocol);"),
    ],
    "with the header walker of lesson 04": """#include "parse.h"

BPF_PERCPU_ARRAY(protocols, u64, 256);

int by_protocol(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	if (!pkt.ip || pkt.tags)
		return XDP_PASS;

	u32 key = pkt.protocol;
	u64 *count = protocols.lookup(&key);
	if (count)
		*count += 1;
	return XDP_PASS;
}
""",
    "a hash, filled as they come": [
        ("BPF_PERCPU_ARRAY(protocols, u64, 256)", "BPF_HASH(protocols, int, u64)"),
        ("u64 *count = protocols.lookup(&key);", "u64 none = 0, *count;\n"
         "	count = protocols.lookup_or_try_init(&key, &none);"),
        ("*count += 1", "__sync_fetch_and_add(count, 1)"),
    ],
}  # fmt: skip

PACKETS = [
    ("a ping", IP(ttl=99) / ICMP(), 1),
    ("TCP", IP(ttl=99) / TCP(), 6),
    ("TCP again", IP(ttl=99) / TCP(), 6),
    ("UDP", IP(ttl=99) / UDP(), 17),
    ("a protocol that nobody uses", IP(ttl=99, proto=253) / b"experiment", 253),
    ("ARP", ARP(), None),
    ("a ping over IPv6", IPv6() / ICMPv6EchoRequest(), None),
    ("something unknown", Ether(type=0x88B5) / bytes(40), None),
    ("something unknown that looks like IPv4", Ether(type=0x88B5) / frame(IP() / UDP())[14:], None),
    ("IPv4 cut off in the middle of its header", frame(IP() / ICMP())[:30], None),
]


AND_OTHERS = (
    "It was not counted, and others were. Which question sends it away? With which key is it "
    "looked up, and has the map that many elements?"
)
NONE_AT_ALL = (
    "It was not counted. Does the program come as far as the addition: is the EtherType compared "
    "in the order of the wire? With which key does it look? Is it an int of its own? And to what "
    "does it add: to the pointer, or to what it points to, as *count in icmp_count?"
)


def check(program):
    right = {}
    for what, packet, key in PACKETS:
        expect(program, what, packet, PASS, "Counting is all; every packet goes on.")
        if key is not None:
            right[key] = right.get(key, 0) + 1
        found = {k: summed(v) for k, v in program["protocols"].items() if summed(v)}
        if found != right:
            raise Wrong(what, _shown(right), _shown(found, key), _thought(right, found, key))
    for _ in range(5):
        program["protocols"].clear()
        sent, times = at_once(program, "a ping", IP() / ICMP())
        found = summed(program["protocols"][1])
        equal(sent, "protocols[1]", times, found, f"{LOST} Which kind of map has one for each?")


def _shown(counts, asked=None):
    counts = counts if asked is None or asked in counts else {asked: 0} | counts
    return ", ".join(f"protocols[{key}] {count}" for key, count in sorted(counts.items()))


def _thought(right, found, key):
    if key is None:
        return "That one is not IPv4, or not all of it is there."
    if sum(found.values()) > sum(right.values()):
        return "It adds more than one for a packet."
    if found.get(key) == 1 < right[key]:
        return "It is set, not raised: each packet is to add one to what is there."
    if sum(found.values()) < sum(right.values()):
        return AND_OTHERS if found else NONE_AT_ALL
    if 99 in found:
        return "99 is this packet's TTL: the key comes from another field."
    return "That is another element. Is ip where IPv4 begins? And from which field is the key?"
