"""Second chance, once more: a packet that has three owners to ask."""

import random

from . import PASS, TX, Wrong
from .balancing import ROUTER, SERVERS, handed_on, one_flow, tell, to_vip

TITLE = "A third chance"
TEXT = """
After two different changes, the oldest connections break: a row knows only one owner before. Here
it knows two, `owners[0]` being who owns it now. The map `mine` has this server's connections.

**Hand a packet on**, from owner to owner, until it finds its connection: three hops at most,
whatever the tables of the others say. A SYN goes to the owner now and no further. Leave out whoever
is gone. `is_syn(&pkt)` knows a SYN; `hops` comes from the source MAC address, as in the lesson.
"""
NAME = "third_chance"
STARTER = """#include "balance.h"
#include "socket.h"

struct row { u32 owners[3]; }; /* places: now, before, and before that */
BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 64);
BPF_ARRAY(rows, struct row, 16);
BPF_HASH(mine, struct five_tuple, u8);

int third_chance(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	if (!config || !for_vip(&pkt, config))
		return XDP_PASS;
	struct five_tuple flow;
	flow_of(&pkt, &flow);
	u32 index = hash(&flow, &config->key) & 0xf;
	struct row *row = rows.lookup(&index);
	if (!row || mine.lookup(&flow))
		return XDP_PASS;
	u8 hops = pkt.eth->h_source[0] == 6 ? pkt.eth->h_source[1] : 0;

	for (u32 i = 0; i < 3; i++) {
		/* your code: is owners[i] the one? */
	}
	return XDP_PASS;
}
"""
STARTER_SAYS = "s4, and there up"
HINTS = (
    "Let the number of hops say how many owners have been asked. Whom does a packet ask that comes "
    "from the router, and whom one that comes with 1?",
    "continue passes over an owner: one asked before, one that is gone, this very server, and for "
    "a SYN all but the first. Who is left gets the packet, with a new mark.",
    "i < hops; i && is_syn(&pkt); !is_there(server); same_mac(server->mac, config->mac): continue. "
    "Then hand_over(), h_source[0] = 6, h_source[1] = i + 1, and XDP_TX.",
)
SOLUTION = STARTER.replace(
    """		/* your code: is owners[i] the one? */
""",
    """		if (i < hops || (i && is_syn(&pkt)))
			continue;
		u32 place = row->owners[i];
		struct server *server = servers.lookup(&place);
		if (!is_there(server) || same_mac(server->mac, config->mac))
			continue;
		hand_over(&pkt, config, server);
		pkt.eth->h_source[0] = 6;
		pkt.eth->h_source[1] = i + 1;
		return XDP_TX;
""",
)
COMPARE = (
    "second_chance.c asks two owners, without a loop. Which way would you choose for four, and who "
    "pays for each more?"
)
NEXT = (
    "What does a third chance cost a packet that belongs to nobody, such as one of a scan? Count "
    "its hops, and think of a flood of them."
)

MARK = "pkt.eth->h_source[1] = i + 1;"
SKIP = "if (i < hops || (i && is_syn(&pkt)))"
GONE = "!is_there(server) || same_mac(server->mac, config->mac)"
NEAR_MISSES = {
    "the mark not set": (
        [(f"		pkt.eth->h_source[0] = 6;\n		{MARK}\n", "")], "and still no end",
    ),
    "the mark always 1": ([(MARK, "pkt.eth->h_source[1] = 1;")], "and still no end"),
    "the mark one too low": ([(MARK, "pkt.eth->h_source[1] = i;")], "and still no end"),
    "the mark one too high": ([(MARK, "pkt.eth->h_source[1] = i + 2;")],
                              "the owner before has it"),
    "always from the first owner on": (
        [(SKIP, "if (i && is_syn(&pkt))")], "and still no end",
    ),
    "the hops asked for, one too high": (
        [("i < hops", "i <= hops")], "Which owner is the first to ask",
    ),
    "the second owner before forgotten": (
        [("u32 i = 0; i < 3", "u32 i = 0; i < 2")], "the second owner before has it",
    ),
    "to the owner now and no further": (
        [("u32 i = 0; i < 3", "u32 i = 0; i < 1")], "the owner before has it",
    ),
    "a SYN asked about anew": (
        [(SKIP, "if (is_syn(&pkt) ? i : i < hops)")], "a SYN, and every server",
    ),
    "a SYN treated like all": ([(SKIP, "if (i < hops)")], "a SYN"),
    "the oldest first": ([("row->owners[i]", "row->owners[2 - i]")], "a SYN"),
    "itself not passed over": ([(GONE, "!is_there(server)")], "itself"),
    "an end where somebody is gone": (
        [(f"		if ({GONE})\n			continue;\n",
          "		if (server && same_mac(server->mac, config->mac))\n			continue;\n"
          "		if (!is_there(server))\n			return XDP_PASS;\n")],
        "is gone",
    ),
    "to whom is gone": (
        [(f"		if ({GONE})\n			continue;\n		hand_over(&pkt, config, server);\n",
          "		if (!server || same_mac(server->mac, config->mac))\n			continue;\n"
          "		__builtin_memcpy(pkt.eth->h_dest, server->mac, ETH_ALEN);\n"
          "		__builtin_memcpy(pkt.eth->h_source, config->mac, ETH_ALEN);\n")],
        "00:00:00:00:00:00",
    ),
}  # fmt: skip
LOOP = SOLUTION[SOLUTION.index("	for (u32 i") : SOLUTION.index("	return XDP_PASS;\n}\n")]
ALTERNATIVES = {
    "one after the other": [
        (LOOP,
         """	u32 now = row->owners[0], before = row->owners[1], oldest = row->owners[2];
	struct server *to = NULL, *a = servers.lookup(&now), *b = servers.lookup(&before);
	struct server *c = servers.lookup(&oldest);
	bool syn = is_syn(&pkt);
	u8 mark = 0;

	if (!is_there(a) || same_mac(a->mac, config->mac))
		a = NULL;
	if (syn || !is_there(b) || same_mac(b->mac, config->mac))
		b = NULL;
	if (syn || !is_there(c) || same_mac(c->mac, config->mac))
		c = NULL;
	if (hops < 1 && a)
		to = a, mark = 1;
	else if (hops < 2 && b)
		to = b, mark = 2;
	else if (hops < 3 && c)
		to = c, mark = 3;
	if (to) {
		hand_over(&pkt, config, to);
		pkt.eth->h_source[0] = 6;
		pkt.eth->h_source[1] = mark;
		return XDP_TX;
	}
"""),
    ],
    "a mark of one's own": [
        ("pkt.eth->h_source[0] == 6 ? pkt.eth->h_source[1] : 0",
         "(pkt.eth->h_source[0] & 0x0e) == 0x0e ? pkt.eth->h_source[0] >> 4 : 0"),
        (f"		pkt.eth->h_source[0] = 6;\n		{MARK}\n",
         "		pkt.eth->h_source[0] = (i + 1) << 4 | 0x0e;\n"),
    ],
}  # fmt: skip

PEERS = ["s1", "s2", "s3", "s4"]
ASK = "Which owners have not been asked when this packet comes, and who is next?"
STAYED = "It went to nobody: all three were passed over. Which owner is the first to ask?"
ROUND = "How can a server know that this packet has been on its way for long?"
NEW = "A SYN is for the owner now. Nobody else can have its connection, for there is none."


def check(program):
    flow = _Flow(program)
    agreed = ["s1", "s2", "s3"]
    flow.told("a SYN", "s1", agreed, at="s4", syn=True, think=NEW)
    flow.told("a SYN", "s1", agreed, at="s1", syn=True, think=NEW)
    flow.told("a packet, the owner now has it", "s1", agreed, at="s4")
    flow.told("a packet, the owner before has it", "s2", agreed, at="s4")
    flow.told("a packet, the owner before has it", "s2", agreed, at="s1")
    flow.told("a packet, the second owner before has it", "s3", agreed, at="s4")
    for name in PEERS:
        flow.told("a packet, the second owner before has it", "s3", agreed, at=name)
        flow.told("a packet, its server has it", name, agreed, at=name)
    for name in PEERS:
        same = ["s2", "s2", "s2"]
        flow.told("a packet, there was no change and its owner has it", "s2", same, at=name)
        flow.told("a packet that nobody has", None, same, at=name)
        flow.told("a packet that nobody has", None, agreed, at=name)
    for name in ("s1", "s4"):
        what = "a packet, the owner before is gone, and the one before that has it"
        flow.told(what, "s3", agreed, at=name, gone="s2")
        what = "a packet, the owner now is gone, and the one before has it"
        flow.told(what, "s2", ["s4", "s2", "s3"], at=name, gone="s4") if name != "s4" else None
    chance = random.Random(78)
    for _ in range(60):
        disagreed = {name: [chance.choice(PEERS) for _ in range(3)] for name in PEERS}
        for one, syn in (("a packet that nobody has", False), ("a SYN", True)):
            what = f"{one}, and every server has another table"
            flow.told(what, None, disagreed, at=chance.choice(PEERS), syn=syn)


class _Flow:
    """A packet's way among servers: the switch, and the program on each of them in turn."""

    def __init__(self, program):
        self.program = program
        self.tuple = one_flow().tobytes()

    def told(self, what, has, rows, at, syn=False, gone="", think=ASK):
        """Send it to a server, and compare where it ends with where its connection is.

        Args:
            what: the packet in words.
            has: the server where it must end; None for any.
            rows: the owners that every server's table names, or a dict of them by server.
            at: the server to which the router sends it.
            syn: whether it begins a connection, which nobody has then.
            gone: a server that is not there.
            think: the thought for those whose program sends it elsewhere.
        """
        way, frame = [at], to_vip(to=SERVERS[at], flags="S" if syn else "A")
        frame.src = ROUTER
        while True:
            here = way[-1]
            owners = rows[here] if isinstance(rows, dict) else rows
            self._prepare(here, owners, here == has and not syn, gone)
            run = self.program.run(frame)
            sent = f"{what}; it comes to {at}, and the row at {here} says {', '.join(owners)}"
            if run.verdict == PASS:
                break
            if run.verdict != TX:
                raise Wrong(sent, "XDP_PASS or XDP_TX", run.verdict, "It goes up, or on.")
            way.append(handed_on(run, sent, SERVERS[here]))
            frame = run.after
            if len(way) > 4:
                happened = f"{' → '.join(way)}, and still no end"
                raise Wrong(sent, "three hops at most", happened, ROUND)
        if has and way[-1] != has:
            think = STAYED if syn and way == [at] else think
            raise Wrong(sent, f"it goes up at {has}", f"{' → '.join(way)}, and there up", think)

    def _prepare(self, here, owners, has_it, gone):
        tell(self.program, *(f"!{n}" if n == gone else n for n in PEERS), own=SERVERS[here])
        for index in range(16):
            self.program["rows"][index] = {"owners": [PEERS.index(name) for name in owners]}
        self.program["mine"].clear()
        if has_it:
            self.program["mine"][self.tuple] = 1
