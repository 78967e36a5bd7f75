"""Rendezvous in the kernel, where the next lesson needs it."""

import numpy as np

from ..hashing import random_flows, seed_of, unevenness
from ..packets import ARP, IP, TCP, Ether
from . import PASS, Wrong, expect

TITLE = "A ranking in the kernel"
TEXT = """
**Find the server with the highest score for a packet's flow**, and leave its place in `chosen[0]`.

`seeds` has a server's own number in each place, and 0 where nobody is: servers leave, and holes
stay behind. `mixed` and the hash of the flow are there. Every packet goes on.
"""
NAME = "ranked"
STARTER = """#include "hash.h"

BPF_ARRAY(seeds, u64, 16);
BPF_ARRAY(chosen, u32, 1);

static __always_inline u64 mixed(u64 x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;
	return x ^ x >> 33;
}

int ranked(struct xdp_md *ctx)
{
	struct hash_key key = {{2024, 204}};
	struct five_tuple flow;
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	u32 *winner = chosen.lookup(&first);
	if (!winner || !five_tuple(&pkt, &flow))
		return XDP_PASS;
	u64 number = hash(&flow, &key), best = 0;

	*winner = number % 16; /* your code */
	return XDP_PASS;
}
"""
STARTER_SAYS = "where nobody is"
HINTS = (
    "A loop over the 16 places: look the seed up, ask whether the pointer is there and what it "
    "points to is not 0, and make the score.",
    "A score that is higher than the best so far is the new best, and its place the new winner. "
    "Both have to be kept.",
    "seeds.lookup(&i) gives a pointer, or NULL. The score is mixed(number ^ *seed).",
)
SOLUTION = STARTER.replace(
    "	*winner = number % 16; /* your code */\n",
    """	for (u32 i = 0; i < 16; i++) {
		u32 place = i;
		u64 *seed = seeds.lookup(&place);
		if (!seed || !*seed)
			continue;
		u64 score = mixed(number ^ *seed);
		if (score > best) {
			best = score;
			*winner = place;
		}
	}
""",
)
COMPARE = (
    "lb_rendezvous in bpf/ does it for 64 places and without an if around the best: each if in a "
    "loop may double what the verifier has to walk through."
)
NEXT = "Measure it: run(…, repeat=200_000).ns, with one server and with 16. What costs a server?"

KEPT = """			*winner = place;
		}
"""
OUTSIDE = """		}
		*winner = place;
"""
NEAR_MISSES = {
    "modulo": (STARTER, "where nobody is"),
    "the place taken for the seed": ([("number ^ *seed", "number ^ place")], "to place 7"),
    "holes not seen": ([("!seed || !*seed", "!seed")], "where nobody is"),
    "no further than the first hole": (
        [("			continue;", "			break;")], "behind the hole",
    ),
    "the best not kept": ([("			best = score;\n", "")], "times its share"),
    "not mixed": ([("mixed(number ^ *seed)", "number ^ *seed")], "times its share"),
    "mixed, but without the flow": (
        [("mixed(number ^ *seed)", "mixed(*seed)")], "times its share",
    ),
    "from the second place on": ([("u32 i = 0", "u32 i = 1")], "The place 0 gets none"),
    "each stirred, and then put together": (
        [("mixed(number ^ *seed)", "mixed(number) ^ mixed(*seed)")], "s3 leaves: the flows of",
    ),
    "the flow stirred alone": (
        [("mixed(number ^ *seed)", "mixed(number) ^ *seed")], "What is stirred, and when",
    ),
    "half of the places": ([("i < 16", "i < 8")], "to place 15"),
    "one place too few": ([("i < 16", "i < 15")], "to place 15"),
    "the score, not the place": ([("*winner = place", "*winner = score")], "where nobody is"),
    "the winner written in any case": ([(KEPT, OUTSIDE)], "times its share"),
    "dropped once chosen": (
        [("	}\n	return XDP_PASS;\n", "	}\n	return XDP_DROP;\n")], "XDP_DROP",
    ),
}  # fmt: skip
ALTERNATIVES = {
    "the lowest score": [
        ("best = 0;", "best = -1;"),
        ("score > best", "score < best"),
    ],
    "without a branch": [
        (
            """		if (score > best) {
			best = score;
			*winner = place;
		}
""",
            """		u64 better = -(u64)(score > best);
		best ^= (best ^ score) & better;
		*winner ^= (*winner ^ place) & better;
""",
        )
    ],
    "another way of stirring, from the last place on": [
        ("for (u32 i = 0; i < 16; i++) {\n		u32 place = i;",
         "for (int i = 15; i >= 0; i--) {\n		u32 place = i;"),
        ("mixed(number ^ *seed)", "mixed(mixed(number) + mixed(*seed ^ number) * 3)"),
    ],
}  # fmt: skip

FLOWS = 300
SERVERS = {f"s{n + 1}": n for n in range(5)}  # the place of each
LEFT = "Only its own flows have to move. Does the place of the others play a part?"
HOLE = "Nothing is in that place of seeds: it is 0. Is that asked, and for each place?"
FAR = "Does the loop come as far as the last place?"
EVEN = "Is each score one of both, the flow and the server, and is the best of all kept?"
STIRRED = "A few bits decide, and not evenly. What is stirred, and when?"
NONE = "The place {} gets none. Does the loop come by each place, and is each score kept?"
BEHIND = "Nobody behind the hole gets a flow any more. What does the loop do when it comes to one?"
SEED = "The server is the same, with the same seed. Its place is no part of who it is."


def check(program):
    for what, packet in {"TCP": IP() / TCP(), "ARP": ARP()}.items():
        expect(program, what, packet, PASS, "Choosing is all; every packet goes on.")
    frames = list(_frames())

    def chosen(places):
        for place in range(16):
            program["seeds"][place] = 0
        for name, place in places.items():
            program["seeds"][place] = int(seed_of(name))
        names = {place: name for name, place in places.items()}
        result = []
        for raw in frames:
            program.run(raw)
            place = program["chosen"][0]
            if place not in names:
                raise Wrong(f"a TCP packet; servers in the places {sorted(names)}", "one of them",
                            f"place {place}, where nobody is", HOLE)  # fmt: skip
            result.append(names[place])
        return np.array(result)

    before = chosen(SERVERS)
    _fair(f"{FLOWS} flows, servers in the places 0 to 4", before, SERVERS)
    for gone in ("s5", "s3", "s1"):
        rest = {name: place for name, place in SERVERS.items() if name != gone}
        after = chosen(rest)
        behind = [name for name in rest if rest[name] > SERVERS[gone]]
        think = BEHIND if behind and not np.isin(after, behind).any() else LEFT
        _nothing(f"{FLOWS} flows; {gone} leaves", (after != before) & (before != gone), think)
        _fair(f"{FLOWS} flows; {gone} leaves: the flows of those that stay", after, rest)
    _nothing("s3 moves to place 7", chosen(SERVERS | {"s3": 7}) != before, SEED)
    _nothing("s3 moves to place 15", chosen(SERVERS | {"s3": 15}) != before, FAR)


def _fair(sent, names, places):
    counts = {name: int((names == name).sum()) for name in places}
    if unevenness(names, list(places)) > 1.5:
        happened = f"the busiest has {unevenness(names, list(places)):.1f} times its share"
        think = EVEN if len(set(names)) == 1 else STIRRED
        raise Wrong(sent, "about as many flows for each", happened, think)
    least = min(counts, key=counts.get)
    if counts[least] < len(names) / len(places) / 2:
        happened = f"{least}, in place {places[least]}, has {counts[least]}"
        think = NONE.format(places[least]) if not counts[least] else STIRRED
        raise Wrong(sent, "about as many flows for each", happened, think)


def _nothing(sent, moved, think):
    if moved.any():
        happened = f"{moved.sum()} moved though their server is still there"
        raise Wrong(sent, "nobody moves for nothing", happened, think)


def _frames():
    raw = bytearray(bytes(Ether() / IP(dst="198.51.100.10") / TCP(dport=80)))
    for flow in random_flows(FLOWS, seed=63):
        raw[26:30], raw[34:36] = flow["source"][12:].tobytes(), flow["ports"][:1].tobytes()
        yield bytes(raw)
