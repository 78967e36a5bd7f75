"""A drain: connections that are there stay, new ones go elsewhere."""

from ..balancer import Balancer
from ..flows import Connections
from ..packets import ICMP, IP, TCP, Ether, Raw
from ..program import SOURCES
from ..topologies import VIP, balanced
from . import PASS, Wrong, equal, expect
from .balancing import CLIENT, KEY, LB, SERVERS, datagram, fill, handed, others, tell, to_vip

TITLE = "Drain"
TEXT = """
s3 is to be switched off tonight. So take it out of the table now, and **let every connection stay
where it began**: a SYN goes to the owner of its row, and `flows` remembers the owner's place. All
that follows goes there, as long as that server is there at all.

`is_syn()` knows a SYN. What `flows` does not know goes by the table.
"""
NAME = "draining"
STARTER = """#include "balance.h"
#include "socket.h"

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);
BPF_ARRAY(tables, struct table, 2);
BPF_ARRAY(active, u32, 1);
BPF_TABLE("lru_hash", struct five_tuple, u32, flows, 16384);

int draining(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	u32 *which = active.lookup(&first);
	struct table *table = which ? tables.lookup(which) : NULL;
	if (!config || !table || !for_vip(&pkt, config))
		return XDP_PASS;

	struct five_tuple flow;
	flow_of(&pkt, &flow);
	u32 place = owner(table, hash(&flow, &config->key));

	/* your code */
	return hand_over(&pkt, config, servers.lookup(&place));
}
"""
STARTER_SAYS = "left its server"
HINTS = (
    "Two cases: a SYN is written down, any other packet is looked up. Which of the two may change "
    "place?",
    "flows.update(&flow, &place) writes, flows.lookup(&flow) gives a u32 * or NULL. The place that "
    "you find may be of a server that is gone: is_there() knows.",
    "if (is_syn(&pkt)) update; else if known and is_there(servers.lookup(known)), place = *known.",
)
SOLUTION = STARTER.replace(
    "	/* your code */\n",
    """	u32 *known = flows.lookup(&flow);
	if (is_syn(&pkt))
		flows.update(&flow, &place);
	else if (known && is_there(servers.lookup(known)))
		place = *known;
""",
)
COMPARE = (
    "lb_memory.c also remembers connections of which it never saw the SYN. When does that help? "
    "What does it cost under a flood?"
)
NEXT = (
    "How do you know that the drain is over? services(net)['s3'].connections says how many are "
    "still there."
)

KNOWN = "u32 *known = flows.lookup(&flow);"
UPDATE = "flows.update(&flow, &place);"
NEAR_MISSES = {
    "never written": ([(UPDATE, "/* remembered */;")], "left its server"),
    "never read": ([("place = *known;", ";")], "left its server"),
    "written at every packet": (
        [(f"	{KNOWN}\n	if (is_syn(&pkt))\n		{UPDATE}\n	else if",
          f"	{UPDATE}\n	{KNOWN}\n	if")],
        "left its server",
    ),
    "written at all but the SYN": ([("if (is_syn(&pkt))", "if (!is_syn(&pkt))")],
                                   "left its server"),
    "a SYN looked up as well": (
        [(f"	if (is_syn(&pkt))\n		{UPDATE}\n	else if (known && is_there("
          "servers.lookup(known)))\n		place = *known;\n",
          "	if (known && is_there(servers.lookup(known)))\n		place = *known;\n"
          f"	else if (is_syn(&pkt))\n		{UPDATE}\n")],
        "used before",
    ),
    "written only when there is room": ([(UPDATE, "flows.insert(&flow, &place);")],
                                        "its own SYN"),
    "by the client's address": (
        [(KNOWN, f"flow.source_port = 0;\n	{KNOWN}")], "another connection of that client",
    ),
    "the row remembered, not the place": (
        [(UPDATE, "{ u32 row = hash(&flow, &config->key) & 0xffff; flows.update(&flow, &row); }")],
        "left its server",
    ),
    "the dead not noticed": (
        [("known && is_there(servers.lookup(known))", "known")], "is switched off",
    ),
    "dropped when not known": (
        [("		place = *known;\n", "		place = *known;\n	else\n		return XDP_DROP;\n")],
        "XDP_DROP",
    ),
}  # fmt: skip
ALTERNATIVES = {
    "the lesson's own, which remembers more": (SOURCES / "lb_memory.c").read_text(),
    "by the hash of the flow": [
        ('BPF_TABLE("lru_hash", struct five_tuple, u32, flows, 16384);',
         "BPF_HASH(flows, u64, u32, 16384);"),
        (KNOWN, "u64 number = hash(&flow, &config->key);\n	u32 *known = flows.lookup(&number);"),
        (UPDATE, "flows.update(&number, &place);"),
    ],
    "deleted and written anew, handed over early": [
        (UPDATE, "{\n		flows.delete(&flow);\n		flows.update(&flow, &place);\n	}"),
        ("else if (known && is_there(servers.lookup(known)))\n		place = *known;",
         "else if (known) {\n		struct server *there = servers.lookup(known);\n"
         "		if (is_there(there))\n			return hand_over(&pkt, config, there);\n	}"),
    ],
}  # fmt: skip

SENDS = "It is for the VIP, so it goes to a server."
STAYS = "A connection stays where it began, whatever the table says by now."
NEW = "It is new, so the table decides, and there s3 has no rows any more."
REUSED = "A SYN begins a connection, whatever its ports were used for before."
AFTER = "Its place was not written down, or not over what was there. What does update() do?"
DEAD = "s3 is gone for good. Where it was remembered, the table must decide."
PORTS = range(40_000, 40_040)


def check(program):
    names = list(SERVERS)
    rest = [name for name in names if name != "s3"]
    tell(program, *names)
    at = {port: handed(program, "a SYN", to_vip(port, flags="S"), SENDS) for port in PORTS}

    def follows(what, port, wanted, think, packet=None):
        to = handed(program, what, packet or to_vip(port), think)
        equal(what, "handed to", wanted, to, think)

    for port in PORTS:
        what = "the second packet of a connection"
        to = handed(program, what, to_vip(port), SENDS)
        think = STAYS
        if to != at[port] and to == at[PORTS[-1]]:
            think = "It went where another connection of that client did. What tells them apart?"
        equal(what, "handed to", at[port], to, think)
    for what, packet in others().items():
        expect(program, what, packet, PASS, "That is no business of the balancer's.")
    handed(program, "UDP for the VIP", datagram(), "What flows does not know goes by the table.")

    fill(program, names, rest)
    draining = [port for port in PORTS if at[port] == "s3"]
    for port in draining:
        what = "a packet of a connection of s3's, which was taken out of the table"
        to = handed(program, what, to_vip(port), SENDS)
        if to != "s3":
            told = f"handed to {to}: it left its server"
            raise Wrong(what, "handed to s3", told, _memory(program, names.index(to)))
    quoted = IP(src=VIP, dst="192.0.2.1") / TCP(sport=80, dport=draining[0])
    error = Ether(dst=LB, src=CLIENT) / IP(src="203.0.113.9", dst=VIP) / ICMP(type=3, code=4)
    follows("an ICMP error about it", 0, "s3", STAYS, error / Raw(bytes(quoted)))
    for port in range(41_000, 41_040):
        to = handed(program, "the SYN of a new connection", to_vip(port, flags="S"), SENDS)
        if to == "s3":
            raise Wrong("the SYN of a new connection", "handed to one of the others",
                        "handed to s3", NEW)  # fmt: skip
        follows("its next packet", port, to, STAYS)
    again = draining[0]
    what = "a SYN from ports that a connection of s3's used before"
    to = handed(program, what, to_vip(again, flags="S"), SENDS)
    if to == "s3":
        raise Wrong(what, "handed to one of the others", "handed to s3", REUSED)
    follows("its next packet, which goes where its own SYN went", again, to, AFTER)
    tell(program, *(f"!{name}" if name == "s3" else name for name in names))
    fill(program, names, rest)
    for port in draining[1:3]:
        what = "a packet of a connection of s3's, which is switched off"
        to = handed(program, what, to_vip(port), DEAD)
        if to == "s3":
            raise Wrong(what, "handed to one of the others", "handed to s3", DEAD)
    _really(program)


def _memory(program, place):
    """What is in flows when a packet of a connection of s3's has gone to another place."""
    places = list(program["flows"].values())
    if not places:
        return "flows is empty: nobody wrote down where the connection began."
    if max(places) >= len(SERVERS):
        return f"flows holds {max(places)}, and that is no server's place."
    if 2 not in places:
        return "flows knew that it was s3's, and no longer does. Which packets write to it?"
    if len(places) < len(PORTS):
        return "flows knows few of them."
    return STAYS if place == 2 else "flows knows that it is s3's. Who looks it up?"


def _really(program):
    """The same on a network: real connections, and none may break."""
    net = balanced()
    balancer = Balancer(net, program, KEY)
    connections = Connections(net, 200)
    equal("200 connections over a network", "broken", 0, connections.broken,
          "They did not even open. Follow one with tcpdump.")  # fmt: skip
    balancer.use("s1", "s2", "s4", "s5")
    equal("200 connections, and s3 taken out of the table", "broken", 0,
          connections.check().broken, STAYS)  # fmt: skip
