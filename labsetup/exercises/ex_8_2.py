"""Servers that hand a packet on, and no packet that goes round in circles."""

from . import PASS, TX, Wrong, equal, expect
from .balancing import ROUTER, SERVERS, fill, handed_on, others, tell, to_vip

TITLE = "One hop and no more"
TEXT = """
A colleague puts `lb_table` on every server. Then two tables disagree for a moment, and the switch
glows: packets go to and fro for ever.

**Mend it**: a server's own packets go up to its stack, and so does whatever a server has handed on
before, whoever the table says. All else goes on to its owner, as it did. No two servers may send
from one MAC address. Routers have any MAC address, such as 02:00:00:00:02:01, but none that begins
with 06.
"""
NAME = "one_hop"
STARTER = """#include "balance.h"

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);
BPF_ARRAY(tables, struct table, 2);
BPF_ARRAY(active, u32, 1);

int one_hop(struct xdp_md *ctx)
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
	struct server *server = servers.lookup(&place);

	/* your code */
	return hand_over(&pkt, config, server);
}
"""
STARTER_SAYS = "to s1 itself"
HINTS = (
    "Two questions before a packet goes on: is this server its owner? And has it been handed on "
    "already? How could a packet show the second?",
    "same_mac(a, b) compares. The source MAC address is yours to choose when you send: the lesson "
    "lets it begin with 06. pkt.eth->h_source[0] is its first byte.",
    "Before: PASS where h_source[0] is 06, and where server->mac is config->mac. After hand_over() "
    "has said XDP_TX: set h_source[0].",
)
SOLUTION = STARTER.replace(
    """	/* your code */
	return hand_over(&pkt, config, server);
""",
    """	if (pkt.eth->h_source[0] == 0x06)
		return XDP_PASS;
	if (server && same_mac(server->mac, config->mac))
		return XDP_PASS;

	int verdict = hand_over(&pkt, config, server);
	if (verdict == XDP_TX)
		pkt.eth->h_source[0] = 0x06;
	return verdict;
""",
)
COMPARE = (
    "hops.h counts the hops in the second byte. What would you see of yours in tcpdump -e, and "
    "whose frame is it?"
)
NEXT = (
    "Put it on every server: {name: Balancer(net, Program('one_hop', one_hop.source), key, "
    "at=net.hosts[name].eth0) for name in net.vip_hosts}. Are Connections(net, 300) where "
    "table() says?"
)

ASK = "	if (pkt.eth->h_source[0] == 0x06)\n		return XDP_PASS;\n"
OWN = "	if (server && same_mac(server->mac, config->mac))\n		return XDP_PASS;\n"
MARK = "		pkt.eth->h_source[0] = 0x06;\n"
NEAR_MISSES = {
    "no mark at all": (
        [(ASK, ""), (f"	if (verdict == XDP_TX)\n{MARK}", "")], "handed on again",
    ),
    "the mark set, and never asked for": ([(ASK, "")], "handed on again"),
    "asked for, and never set": (
        [(f"	if (verdict == XDP_TX)\n{MARK}", "")], "handed on again",
    ),
    "the mark wiped away": (
        [("	int verdict =", "	pkt.eth->h_source[0] = 0x06;\n	int verdict ="),
         (f"	if (verdict == XDP_TX)\n{MARK}", "")],
        "handed on again",
    ),
    "its own packets sent, too": ([(OWN, "")], "to s1 itself"),
    "every MAC address of the lab's kind": (
        [("pkt.eth->h_source[0] == 0x06", "pkt.eth->h_source[0] & 2")], "from the router",
    ),
    "a bit of the first byte": (
        [("h_source[0] == 0x06", "h_source[0] & 4"), ("h_source[0] = 0x06", "h_source[0] |= 4")],
        "from the router 74:83:c2:00:00:01",
    ),
    "two bits of the first byte": (
        [("pkt.eth->h_source[0] == 0x06", "(pkt.eth->h_source[0] & 6) == 6"),
         ("pkt.eth->h_source[0] = 0x06", "pkt.eth->h_source[0] |= 4")],
        "from the router 0e:00:00:00:00:01",
    ),
    "arrays compared by where they lie": (
        [("same_mac(server->mac, config->mac)", "server->mac == config->mac")],
        "compares where they lie",
    ),
    "the address of a group": ([("h_source[0] == 0x06", "h_source[0] == 0x07"),
                                ("h_source[0] = 0x06", "h_source[0] = 0x07")], "of a group"),
    "a mark on the router's address": (
        [("	int verdict = hand_over(&pkt, config, server);\n",
          "	int verdict = is_there(server) ? XDP_TX : XDP_PASS;\n"
          "	if (verdict == XDP_TX)\n"
          "		__builtin_memcpy(pkt.eth->h_dest, server->mac, ETH_ALEN);\n")],
        "from one MAC address",
    ),
    "the mark in the IP header": (
        [("pkt.eth->h_source[0] == 0x06", "pkt.ip && pkt.ip->tos"),
         (f"	if (verdict == XDP_TX)\n{MARK}", "	if (verdict == XDP_TX && pkt.ip)\n"
          "		pkt.ip->tos = 1;\n")],
        "IP tos",
    ),
    "dropped where it was handed to": (
        [("== 0x06)\n		return XDP_PASS", "== 0x06)\n		return XDP_DROP")], "XDP_DROP",
    ),
    "marked, and left to the stack": ([("return verdict;", "return XDP_PASS;")],
                                      "handed on to s2"),
}  # fmt: skip
ALTERNATIVES = {
    "as the lesson does it": [
        ('#include "balance.h"', '#include "hops.h"'),
        (ASK + OWN, "	if (hops_of(pkt.eth))\n		return XDP_PASS;\n"),
        ("	int verdict = hand_over(&pkt, config, server);\n	if (verdict == XDP_TX)\n"
         f"{MARK}	return verdict;", "	return hand_on(&pkt, config, server, 1);"),
    ],
    "no mark: what a server sends has been handed on": [
        (ASK, "	for (u32 i = 0; i < 16; i++) {\n		u32 other = i;\n"
         "		struct server *peer = servers.lookup(&other);\n"
         "		if (is_there(peer) && same_mac(peer->mac, pkt.eth->h_source))\n"
         "			return XDP_PASS;\n	}\n"),
        (f"	if (verdict == XDP_TX)\n{MARK}", ""),
    ],
    "another mark, elsewhere": [
        ("pkt.eth->h_source[0] == 0x06",
         "pkt.eth->h_source[0] == 0x0e && pkt.eth->h_source[1] == 0x42"),
        (f"	if (verdict == XDP_TX)\n{MARK}	return verdict;",
         "	if (verdict != XDP_TX)\n		return XDP_PASS;\n"
         "	pkt.eth->h_source[0] = 0x0e;\n	pkt.eth->h_source[1] = 0x42;\n	return XDP_TX;"),
    ],
}  # fmt: skip

NAMES = ["s1", "s2", "s3", "s4"]
OWNED = "It is the packet's owner: its stack is waiting."
GOES = "It comes from the router, and another server owns it. Is it taken for one handed on before?"
SECOND = "How could the second server have known that this packet had been handed on before?"


def check(program):
    def at(name, owner):
        """Let one server run the program, and think that one server owns everything."""
        tell(program, *NAMES, own=SERVERS[name])
        fill(program, NAMES, [owner])

    def run(name, owner, what, packet):
        """Run it there; returns who gets the packet next, None for the stack, and the frame."""
        at(name, owner)
        result = program.run(packet)
        sent = f"{what}, at {name}, whose table says {owner}"
        if result.verdict == PASS:
            return sent, None, result.after
        if result.verdict != TX:
            raise Wrong(sent, "XDP_PASS or XDP_TX", result.verdict, "It goes up, or on.")
        return sent, handed_on(result, sent, SERVERS[name]), result.after

    routers = (ROUTER, "00:16:3e:12:34:56", "52:54:00:ab:cd:ef", "0a:00:00:00:00:01",
               "74:83:c2:00:00:01", "0e:00:00:00:00:01")  # fmt: skip
    sources = {}
    for mac in routers:
        fresh = to_vip(to=SERVERS["s1"])
        fresh.src = mac
        what = f"a packet from the router {mac}"
        sent, to, _ = run("s1", "s1", what, fresh)
        equal(sent, "handed on to", "nobody", to or "nobody", OWNED)
        sent, to, frame = run("s1", "s2", what, fresh)
        equal(sent, "handed on to", "s2", to or "nobody", GOES)
        for owner in ("s2", "s1", "s3"):
            what = "the same packet, handed on by s1"
            sent, to, _ = run("s2", owner, what, frame)
            if to:
                raise Wrong(sent, "XDP_PASS", f"handed on again, to {to}", SECOND)
    for name in NAMES:
        fresh = to_vip(to=SERVERS[name])
        fresh.src = ROUTER
        owner = "s4" if name != "s4" else "s1"
        sent, _, frame = run(name, owner, "a packet from the router", fresh)
        if (other := sources.setdefault(frame[6:12], name)) != name:
            raise Wrong(sent, "each server sends from a MAC address of its own",
                        f"{other} and {name} send from one MAC address, {frame[6:12].hex(':')}",
                        "At which port is the switch to look for it?")  # fmt: skip
    for what, packet in others().items():
        at("s3", "s2")
        expect(program, what, packet, PASS, "That is for the stack.")
    tell(program, "s1", "!s2", "s3", "s4", own=SERVERS["s1"])
    fill(program, NAMES, ["s2"])
    fresh = to_vip(to=SERVERS["s1"])
    expect(program, "a packet whose owner's place is empty", fresh, PASS,
           "Nobody is there to hand it to, so it stays here, as it is.")  # fmt: skip
