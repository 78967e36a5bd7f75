"""What a balancer should say of itself: how many packets each server got."""

from ..hosts import cpus
from . import PASS, Wrong, expect, summed
from .balancing import SERVERS, handed, others, tell, to_another, to_vip

TITLE = "Who got how many"
TEXT = """
When one server had everything, the network looked well. With a count for each server you would have
seen it.

**Count the packets that are handed to each server**, in its place of `handed`. What goes on to the
stack is handed to nobody; so is a packet whose place is empty, that is, has a MAC address of zeros.
"""
NAME = "telling"
STARTER = """#include "balance.h"

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);
BPF_PERCPU_ARRAY(handed, u64, 1024);

int telling(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	if (!config || !for_vip(&pkt, config))
		return XDP_PASS;

	struct five_tuple flow;
	flow_of(&pkt, &flow);
	u32 place = hash(&flow, &config->key) % config->servers;

	/* your code */
	return hand_over(&pkt, config, servers.lookup(&place));
}
"""
STARTER_SAYS = "handed is empty"
HINTS = (
    "Counting has the three steps of lesson 03: a key, a lookup, a check of what it gave. What is "
    "the key here?",
    "hand_over() returns a verdict. Which one says that the packet goes to a server?",
    "Keep the verdict in an int. If it is XDP_TX, look up handed with &place, check the pointer, "
    "and add one. Then return the verdict.",
)
SOLUTION = STARTER.replace(
    """	/* your code */
	return hand_over(&pkt, config, servers.lookup(&place));
""",
    """	int verdict = hand_over(&pkt, config, servers.lookup(&place));
	u64 *count = handed.lookup(&place);
	if (count && verdict == XDP_TX)
		*count += 1;
	return verdict;
""",
)
COMPARE = (
    "Does yours count before it is sure that the packet goes out? Then a server that is gone seems "
    "to be the busiest."
)
NEXT = (
    "Balancer(net, telling), then Connections(net, 200): what does telling['handed'] say? And what "
    "does it say when ARP flux strikes?"
)

COUNT = "*count += 1;"
NEAR_MISSES = {
    "one count for all": ([("handed.lookup(&place)", "handed.lookup(&first)")], "as their sum"),
    "the next place": (
        [("	u64 *count = handed.lookup(&place);",
          "	u32 next = place + 1;\n	u64 *count = handed.lookup(&next);")],
        "another place",
    ),
    "where nobody is, too": ([("count && verdict == XDP_TX", "count")], "nobody is there"),
    "whatever arrives": (
        [("	if (!config || !for_vip(&pkt, config))\n		return XDP_PASS;\n",
          "	if (!config)\n		return XDP_PASS;\n"),
         ("	int verdict = hand_over(&pkt, config, servers.lookup(&place));",
          "	int verdict = XDP_PASS;\n	if (for_vip(&pkt, config))\n"
          "		verdict = hand_over(&pkt, config, servers.lookup(&place));"),
         ("count && verdict == XDP_TX", "count")],
        "handed to nobody",
    ),
    "update() for an addition": (
        [("	u64 *count = handed.lookup(&place);", "	u64 one = 1;"),
         ("	if (count && verdict == XDP_TX)\n		*count += 1;",
          "	if (verdict == XDP_TX)\n		handed.update(&place, &one);")],
        "What does update() do with the old one",
    ),
    "the first byte taken for all": (
        [("	u64 *count = handed.lookup(&place);", "	struct server *server = "
          "servers.lookup(&place);\n	u64 *count = handed.lookup(&place);"),
         ("count && verdict == XDP_TX", "count && server && server->mac[0]")],
        "begins with 00",
    ),
    "bytes": ([(COUNT, "*count += ctx->data_end - ctx->data;")], "more than one"),
    "in a variable of its own": ([(COUNT, "{ u64 sum = *count; sum++; }")], "handed is empty"),
    "by the hash, not by the place": (
        [("	u64 *count = handed.lookup(&place);",
          "	u32 row = hash(&flow, &config->key);\n	u64 *count = handed.lookup(&row);")],
        "handed is empty",
    ),
    "counted, and left to the stack": (
        [("return verdict;", "return XDP_PASS;")], "XDP_TX, to a server",
    ),
}  # fmt: skip
ALTERNATIVES = {
    "asked first whether somebody is there": [
        ("	int verdict = hand_over(&pkt, config, servers.lookup(&place));\n", ""),
        ("count && verdict == XDP_TX", "count && is_there(servers.lookup(&place))"),
        ("return verdict;", "return hand_over(&pkt, config, servers.lookup(&place));"),
    ],
    "one count for all CPUs, atomically": [
        ("BPF_PERCPU_ARRAY", "BPF_ARRAY"),
        (COUNT, "__sync_fetch_and_add(count, 1);"),
    ],
    "out early, with BCC's own word": [
        ("	u64 *count = handed.lookup(&place);\n	if (count && verdict == XDP_TX)\n"
         "		*count += 1;\n", "	if (verdict == XDP_PASS)\n		return XDP_PASS;\n"
         "	handed.increment(place);\n"),
    ],
    "a hash, filled as they come": [
        ("BPF_PERCPU_ARRAY(handed, u64, 1024)", "BPF_HASH(handed, u32, u64)"),
        ("u64 *count = handed.lookup(&place);", "u64 none = 0, *count = NULL;\n"
         "	if (verdict == XDP_TX)\n		count = handed.lookup_or_try_init(&place, &none);"),
    ],
}  # fmt: skip

ZEROS = "Somebody is there: not all six bytes of its address are 0. How many do you look at?"
SENDS = "It goes to a server, as before. Counting changes nothing."


def check(program):
    names = list(SERVERS)
    right = {}

    def compared(sent, think=""):
        found = {k: summed(v) for k, v in program["handed"].items() if summed(v)}
        if found != right:
            copies = [max(v) if isinstance(v, tuple) else v for v in program["handed"].values()]
            thought = think or _thought(right, found, max(copies, default=0))
            raise Wrong(sent, _shown(right), _shown(found), thought)

    def count(packet, times=1):
        place = names.index(handed(program, "TCP for the VIP", packet, SENDS))
        right[place] = right.get(place, 0) + times
        return place

    tell(program, *names)
    places = [count(to_vip(sport)) for sport in range(40_000, 40_020)]
    compared("a packet of each of 20 connections")
    for what, packet in others().items():
        expect(program, what, packet, PASS, "It is not for the VIP.")
        compared(what, "That one was handed to nobody.")
    count(to_vip(), 1 + len(cpus()))
    program.run(to_vip(), cpus=cpus())
    compared("a packet on each CPU, and one more")
    tell(program, *(f"!{name}" if name == "s2" else name for name in names))
    sport = 40_000 + places.index(names.index("s2"))
    expect(
        program, "TCP for the VIP, where nobody is", to_vip(sport), PASS, "Leave it to the stack."
    )
    compared("a packet whose place is empty", "It went on to the stack: nobody is there to get it.")
    place = names.index("s2")
    right[place] += 1
    to_another(program, place, to_vip(sport), SENDS)
    compared("a packet for a server whose MAC address begins with 00", ZEROS)


def _shown(counts):
    if not counts:
        return "handed is empty"
    return ", ".join(f"handed[{place}] {count}" for place, count in sorted(counts.items()))


def _thought(right, found, most):
    """What to think about, most being the highest count that one CPU has made."""
    if not found:
        return "Nothing was counted. Look it up, check the pointer, add to what it points to."
    if sum(found.values()) > sum(right.values()):
        return "It adds more than one for a packet."
    if sum(found.values()) < sum(right.values()):
        if found.keys() == right.keys() and most == 1:
            return "No CPU has counted beyond 1. What does update() do with the old one?"
        return "A packet is missing. With which key do you look up?"
    if len(right) > len(found):
        return "Several servers have one count, as their sum. What tells them apart?"
    return "It is in another place than the server is in the map servers."
