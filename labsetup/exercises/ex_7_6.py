"""The closing one of lesson 07: the balancer, from an empty file."""

from collections import Counter

import numpy as np

from ..balancer import NOBODY, ROWS, Balancer, rows
from ..flows import Connections
from ..hashing import random_flows, seed_of
from ..packets import ARP, ICMP, IP, TCP, Ether, IPv6, Raw, segments
from ..program import SOURCES
from ..sandbox import LabError
from ..topologies import VIP, VIP6, balanced
from . import PASS, TX, Wrong, equal, expect
from .balancing import (
    BROADCAST,
    CLIENT,
    KEY,
    LB,
    datagram,
    handed,
    others,
    over_ipv6,
    raw,
    to_vip,
)

TITLE = "From an empty file"
TEXT = """
**Write the balancer.** What came to lb for the VIP, IPv4 or IPv6, goes to a server; the rest, and
what finds none, to the stack.

- A connection's packets, and errors about it, go to one server.
- Fragments of a packet stay together.
- Each server gets its share.
- When one leaves, only its own connections move.
- The key in `settings` has a say.

`Balancer` fills the maps `settings` and `servers`; `tables` and `active`, if you have both
(`balance.h`). Choose as you like, among 16 servers at most.
"""
NAME = "my_balancer"
STARTER = """/* your balancer */
"""
STARTER_SAYS = "write one that begins int my_balancer(struct xdp_md *ctx)"
HINTS = (
    "Begin small: include balance.h, write the two maps, and a function that looks up settings, "
    "asks for_vip(), and hands everything to the server in place 0. What does the check say now?",
    "flow_of() finds the flow, also that of an error; hash() makes a number of it. A row of the "
    "table, or the highest score of all servers, makes a place of the number.",
    "parse, settings, for_vip; active, tables; flow_of, hash, owner; servers, hand_over: each is a "
    "line or two, and each pointer is checked.",
)
SOLUTION = """#include "balance.h"

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);
BPF_ARRAY(tables, struct table, 2);
BPF_ARRAY(active, u32, 1);

int my_balancer(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	if (!config || !for_vip(&pkt, config))
		return XDP_PASS;

	u32 *which = active.lookup(&first);
	struct table *table = which ? tables.lookup(which) : NULL;
	if (!table)
		return XDP_PASS;

	struct five_tuple flow;
	flow_of(&pkt, &flow);
	u32 place = owner(table, hash(&flow, &config->key));
	struct server *server = servers.lookup(&place);
	if (!is_there(server))
		return XDP_PASS;

	__builtin_memcpy(pkt.eth->h_dest, server->mac, ETH_ALEN);
	__builtin_memcpy(pkt.eth->h_source, config->mac, ETH_ALEN);
	return XDP_TX;
}
"""
COMPARE = (
    "Does yours take longer with 50 servers than with five? Time it with run(packet, "
    "repeat=200_000), as the lesson does."
)
NEXT = (
    "You have built a load balancer. Give it a thousand connections, take servers out and in, and "
    "kill one under HealthChecks."
)

FLOW = "	flow_of(&pkt, &flow);\n"
PLACE = "u32 place = owner(table, hash(&flow, &config->key));"
BY_INDEX = """#include "balance.h"

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);

static __always_inline u32 stirred(u64 x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;
	return x >> 32;
}

int my_balancer(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	if (!config || !config->servers || !for_vip(&pkt, config))
		return XDP_PASS;

	struct five_tuple flow;
	flow_of(&pkt, &flow);
	u64 number = hash(&flow, &config->key);
	u32 best = 0, winner = 0;
	for (u32 i = 0; i < 16 && i < config->servers; i++) {
		u32 place = i;
		struct server *server = servers.lookup(&place);
		if (!server)
			break;
		u32 score = stirred(number ^ SEED);
		if (score >= best) {
			best = score;
			winner = i;
		}
	}
	return hand_over(&pkt, config, servers.lookup(&winner));
}
"""
NEAR_MISSES = {
    "per packet": ([("owner(table, hash(&flow, &config->key))", "bpf_get_prandom_u32() % 5")],
                   "the same packet, 20 times"),
    "the IP header's number in the hash": (
        [(FLOW, f"{FLOW}	if (pkt.ip)\n		flow.protocol ^= pkt.ip->id;\n")],
        "the next packet of the connection",
    ),
    "the length in the hash": (
        [(FLOW, f"{FLOW}	flow.protocol ^= pkt.length << 16;\n")],
        "the next packet of the connection",
    ),
    "all to one server": ([(PLACE, "u32 place = 0;")], "s1 1000"),
    "always the first of the two tables": (
        [("tables.lookup(which)", "tables.lookup(&first)")], "Which of the two tables",
    ),
    "only one table": (
        [("BPF_ARRAY(active, u32, 1);\n", ""), ("	u32 *which = active.lookup(&first);\n", ""),
         ("which ? tables.lookup(which) : NULL", "tables.lookup(&first)")],
        "How does it know",
    ),
    "bytes for rows": (
        [("owner(table, hash(&flow, &config->key))",
          "table->rows[hash(&flow, &config->key) % 65536]")],
        "a row is a u16",
    ),
    "modulo of an owner": (
        [("owner(table, hash(&flow, &config->key))",
          "owner(table, hash(&flow, &config->key)) % 3")],
        "a row is a u16",
    ),
    "a memory that a SYN does not end": (
        [("BPF_ARRAY(active, u32, 1);",
          "BPF_ARRAY(active, u32, 1);\nBPF_HASH(memory, struct five_tuple, u32);"),
         (PLACE, f"{PLACE}\n	u32 *known = memory.lookup(&flow);\n	if (known)\n"
                 "		place = *known;\n	else\n		memory.update(&flow, &place);")],
        "A SYN begins a new connection",
    ),
    "IPv4 alone": (
        [("	u32 *which =", "	if (!pkt.ip)\n		return XDP_PASS;\n	u32 *which =")],
        "over IPv6",
    ),
    "errors over IPv4 alone": (
        [(FLOW, "	if (pkt.protocol == IPPROTO_ICMP)\n		flow_of(&pkt, &flow);\n"
                "	else\n		five_tuple(&pkt, &flow);\n")],
        "an ICMPv6 error about",
    ),
    "a loop for five": (
        BY_INDEX.replace("SEED", "server->seed").replace("i < 16", "i < 5"), "16 servers",
    ),
    "room for five": ([("struct server, 1024", "struct server, 5")], "16 servers"),
    "a byte too few of an address": (
        [("h_dest, server->mac, ETH_ALEN", "h_dest, server->mac, 5")], "how many are there",
    ),
    "a key of its own": (
        [(PLACE, "struct hash_key key = {{2024, 204}};\n	u32 place = owner(table, "
                 "hash(&flow, &key));")],
        "another key",
    ),
    "zeros taken for an address": ([("!is_there(server)", "!server")], "nobody is in their places"),
    "dropped where nobody is": (
        [("	if (!is_there(server))\n		return XDP_PASS;",
          "	if (!is_there(server))\n		return XDP_DROP;")],
        "nobody is in their places",
    ),
    "dropped where no row has an owner": (
        [("	if (!is_there(server))\n", "	if (place == 0xffff)\n		return XDP_DROP;\n"
          "	if (!is_there(server))\n")],
        "no server at all",
    ),
    "the client's address alone": (
        [(FLOW, f"{FLOW}	flow.source_port = 0;\n")], "one client",
    ),
    "the client's port alone": (
        [(FLOW, f"{FLOW}	flow.source[1] = 0;\n")], "have one port",
    ),
    "modulo": ([("owner(table, hash(&flow, &config->key))",
                 "hash(&flow, &config->key) % config->servers"),
                ("BPF_ARRAY(tables, struct table, 2);\nBPF_ARRAY(active, u32, 1);\n", ""),
                ("	u32 *which = active.lookup(&first);\n	struct table *table = which ? "
                 "tables.lookup(which) : NULL;\n	if (!table)\n		return XDP_PASS;\n\n", "")],
               "s3 leaves"),
    "seeds from the index": (BY_INDEX.replace("SEED", "(u64)stirred(i + 1) << 20"), "s3 leaves"),
    "an error's own five-tuple": ([("flow_of(&pkt, &flow)", "five_tuple(&pkt, &flow)")],
                                  "an ICMP error about"),
    "the client's MAC address kept": (
        [("	__builtin_memcpy(pkt.eth->h_source, config->mac, ETH_ALEN);\n", "")],
        "from the MAC address of the client",
    ),
    "the VIP not asked for": (
        [("!for_vip(&pkt, config)", "!pkt.ip || !same_mac(pkt.eth->h_dest, config->mac)")],
        "for another address",
    ),
    "frames for others taken": (
        [("!for_vip(&pkt, config)", "!pkt.ip || pkt.ip->daddr != config->vip")],
        "in a frame for another host",
    ),
    "a hop counted": (
        [("	return XDP_TX;", "	if (pkt.ip)\n		pkt.ip->ttl--;\n	return XDP_TX;")],
        "IP ttl: 63, expected 64",
    ),
    "left to the stack": ([("XDP_TX", "XDP_PASS")], "XDP_PASS"),
    "one row too far": (
        [("owner(table, hash(&flow, &config->key))",
          "((u16 *)table->rows)[(hash(&flow, &config->key) & 0xffff) + 1]")],
        "may go to byte 131072",
    ),
    "maps of one's own names": ([("BPF_ARRAY(settings,", "BPF_ARRAY(config_map,"),
                                 ("settings.lookup", "config_map.lookup")], "no map 'settings'"),
}  # fmt: skip
ALTERNATIVES = {
    "rendezvous, server by server": BY_INDEX.replace("SEED", "server->seed"),
    "rendezvous without a branch": (SOURCES / "lb_rendezvous.c").read_text(),
    "a table, and a hash of one's own": [
        ("hash(&flow, &config->key)",
         "(config->key.word[0] ^ flow.source[1] >> 32 ^ (u64)flow.source_port << 32)"
         " * 0x9e3779b97f4a7c15 >> 40"),
    ],
    "with a memory": (SOURCES / "lb_memory.c").read_text(),
}  # fmt: skip

SENDS = "It is for the VIP and came to lb, so it goes to a server."
OURS = "That is for the stack."
ONE = "A connection's packets must all be at one server. What is the same in each of them?"
QUOTES = "The error's own addresses say nothing. It quotes the packet that it is about."
TABLE = "Which of the two tables have you read, and which one is in use?"
ACTIVE = "Two tables: one in use, one that is being filled. How does it know which is which?"
ROW = (
    "Each server has its share of the rows, and a row is a u16. What becomes of it, from the table "
    "to the map servers?"
)
NEWLY = (
    "It is not in the table any more, nor in the list. A SYN begins a new connection: has anything "
    "old answered for it?"
)
SIX = "for_vip() lets it through: it is for the VIP, over IPv6."
ROOM = "For how many servers has your map room, and how many can be chosen?"
WHOLE = "Nobody has this address. Which of its bytes are a server's, and how many are there?"
AIMED = "Whoever reads your program knows the key. Balancer writes another one, into settings."
EMPTY = "Nobody is there to get it. Six zeros are no address, and the stack is to decide."
SHARE = "Which of them are told apart by what you hash, and which are not?"
MOVED = "They had a server in the best of health, and have lost it. What does a choice depend on?"
FRAGMENTS = "Only the first fragment has ports. What have both?"


def check(program):
    if "tables" in program.maps and "active" not in program.maps:
        raise Wrong("Balancer(net, my_balancer)", "a map active beside the map tables",
                    f"its maps are {', '.join(program.maps)}", ACTIVE)  # fmt: skip
    net = balanced(ipv6=True)
    balancer = Balancer(net, program, KEY)
    _one_connection(program)
    for what, packet in others().items():
        expect(program, what, packet, PASS, OURS)
    question = Ether(dst=BROADCAST, src=CLIENT) / ARP(pdst=VIP)
    expect(program, "a question for the VIP's MAC address", question, PASS, OURS)
    flows = random_flows(1000, clients="203.0.113.0/24")
    clients = _frames(net, flows)
    before = _fair(program, "1,000 connections", clients, _uneven)
    one, other = flows[:500].copy(), flows[:500].copy()
    one["source"], other["ports"] = flows["source"][0], flows["ports"][0]
    numbers = np.arange(500)
    one["ports"][:, 0] = 20_000 + numbers
    other["source"][:, 14], other["source"][:, 15] = numbers // 256, numbers % 256
    _fair(program, "500 connections of one client", _frames(net, one))
    _fair(program, "500 clients' connections, which all have one port", _frames(net, other))
    _what_else(program)
    balancer.use("s1", "s2", "s4", "s5")
    after = _servers(program, clients)
    stayed = np.array(before) != "s3"
    moved = int((np.array(before) != np.array(after))[stayed].sum())
    equal("s3 leaves", "connections of the others that move:", 0, moved, MOVED)
    equal("s3 leaves", "connections that are still handed to it:", 0, after.count("s3"),
          NEWLY)  # fmt: skip
    balancer.use("s1", "s2", "s3", "s4", "s5")
    equal("s3 is back", "connections that are where they were:", 1000,
          sum(a == b for a, b in zip(before, _servers(program, clients), strict=True)),
          "The same servers, the same choice: what else does yours depend on?")  # fmt: skip
    _another_key(program, clients, before)
    _really(net, balancer)
    _many(program, _frames(net, random_flows(400, seed=76)))


def _one_connection(program):
    first = handed(program, "TCP for the VIP", to_vip(), SENDS)
    found = {handed(program, "TCP for the VIP", to_vip(), SENDS) for _ in range(20)}
    equal("the same packet, 20 times", "handed to", first, ", ".join(sorted(found)), ONE)
    for number in range(1, 6):
        more = to_vip(id=number * 77, ttl=60 + number, tos=number) / Raw(bytes(number * 100))
        more[TCP].seq, more[TCP].window = number * 1000, 4096 + number
        for flags in ("A", "PA", "FA"):
            more[TCP].flags = flags
            to = handed(program, "the next packet of the connection", more, SENDS)
            equal("the next packet of the connection", "handed to", first, to, ONE)


def _frames(net, flows):
    return segments(flows, net.client.eth0, net.lb.eth0)


def _servers(program, clients):
    return [handed(program, "a SYN", one, SENDS) for one in clients]


def _fair(program, what, clients, why=lambda *_: SHARE):
    at = _servers(program, clients)
    counts = Counter({f"s{n}": 0 for n in range(1, 6)}) + Counter(at)
    share = len(clients) / 5
    if not all(0.6 * share <= counts[f"s{n}"] <= 1.5 * share for n in range(1, 6)):
        found = ", ".join(f"s{n} {counts[f's{n}']}" for n in range(1, 6))
        raise Wrong(what, f"about {share:.0f} at each server", found, why(program, clients))
    return at


def _uneven(program, clients):
    """Why connections of all kinds are not spread evenly."""
    if "tables" not in program.maps:
        return SHARE
    before = [program.run(one).after[:6] for one in clients[:50]]
    unused = 1 - program["active"][0]
    program["tables"][unused] = {"rows": np.full(ROWS, 1, np.uint16)}
    if [program.run(one).after[:6] for one in clients[:50]] != before:
        return TABLE
    return ROW if len(set(before)) > 1 else SHARE


def _another_key(program, clients, before):
    settings = program["settings"][0]
    program["settings"][0] = settings | {"key": {"word": [68, 76]}}
    after = _servers(program, clients)
    program["settings"][0] = settings
    moved = sum(a != b for a, b in zip(before, after, strict=True))
    if moved < 100:
        raise Wrong("another key in settings, and 1,000 connections", "most at another server",
                    f"{moved} at another server", AIMED)  # fmt: skip


def _many(program, clients):
    """With as many servers as are asked for, and then with nobody."""
    names = tuple(f"server {place}" for place in range(16))
    macs = [raw(f"3c:7c:3f:00:00:{place + 1:02x}") for place in range(16)]

    def fill(servers, addresses, owners):
        for place, (name, mac) in enumerate(zip(names, addresses, strict=True)):
            program["servers"][place] = {"seed": int(seed_of(name)), "mac": mac}
        program["settings"][0] = program["settings"][0] | {"servers": servers}
        if "tables" in program.maps:
            program["tables"][program["active"][0]] = {"rows": owners}

    shares = rows(tuple(range(16)), names)
    try:
        fill(16, macs, shares)
    except LabError as error:  # no such place
        raise Wrong("16 servers", "room for them in the map servers", str(error), ROOM) from None
    runs = [program.run(one) for one in clients]
    some = {run.after[:6] for run in runs if run.verdict == TX}
    if strange := some - set(macs) - {bytes(6)}:
        raise Wrong("a SYN, and 16 servers", "XDP_TX, to one of 3c:7c:3f:00:00:01 to …:10",
                    f"XDP_TX, to {min(strange).hex(':')}", WHOLE)  # fmt: skip
    some -= {bytes(6)}
    equal("400 SYNs, and 16 servers", "servers that get some:", 16, len(some), ROOM)
    none = [bytes(6)] * 16
    fill(16, none, shares)
    for one in clients[:20]:
        expect(program, "a SYN for one of 16 servers, and nobody is in their places", one, PASS,
               EMPTY)  # fmt: skip
    fill(0, none, np.full(ROWS, NOBODY, np.uint16))
    expect(program, "a SYN, and no server at all", clients[0], PASS, EMPTY)


def _what_else(program):
    handed(program, "UDP for the VIP", datagram(), "It goes to a server, whatever it carries.")
    for port in range(40_000, 40_010):
        at = handed(program, "TCP for the VIP", to_vip(port), SENDS)
        quoted = IP(src=VIP, dst="192.0.2.1") / TCP(sport=80, dport=port)
        error = IP(src="203.0.113.9", dst=VIP) / ICMP(type=3, code=4) / Raw(bytes(quoted))
        what = f"an ICMP error about a packet of the connection at {at}"
        to = handed(program, what, Ether(dst=LB, src=CLIENT) / error, SENDS)
        equal(what, "handed to", at, to, QUOTES)
        options = to_vip(port, options=b"\x01" * 4)
        to = handed(program, "a packet with IP options", options, SENDS)
        equal(f"a packet with IP options, of the connection at {at}", "handed to", at, to, ONE)
    expect(program, "TCP for another IPv6 address", Ether(dst=LB) / IPv6(dst="2001:db8::9") / TCP(),
           PASS, OURS)  # fmt: skip
    for port in range(40_000, 40_010):
        at = handed(program, "TCP for the VIP, over IPv6", over_ipv6(port), SIX)
        quoted = bytes(IPv6(src=VIP6, dst="2001:db8::1") / TCP(sport=80, dport=port))
        error = IPv6(src="2001:db8:9::9", dst=VIP6, nh=58) / Raw(b"\2" + bytes(7) + quoted)
        what = f"an ICMPv6 error about a packet of the connection at {at}"
        to = handed(program, what, Ether(dst=LB, src=CLIENT) / error, SIX)
        equal(what, "handed to", at, to, QUOTES)
    for number in range(1, 11):
        ip = {"src": f"203.0.113.{number}", "dst": VIP, "proto": 17, "id": number}
        head = Ether(dst=LB, src=CLIENT)
        first = head / IP(**ip, flags="MF") / Raw(bytes(datagram()[IP].payload) + bytes(7))
        later = head / IP(**ip, frag=3) / Raw(b"the rest")
        at = handed(program, "the first fragment of a datagram", first, SENDS)
        to = handed(program, "its second fragment", later, SENDS)
        equal("the second fragment of a datagram", "handed to", at, to, FRAGMENTS)


def _really(net, balancer):
    """The same with real connections."""
    connections = Connections(net, 200)
    equal("200 connections over a network", "broken", 0, connections.broken,
          "They did not even open. Follow one with tcpdump.")  # fmt: skip
    balancer.use("s1", "s2", "s4", "s5")
    connections.check()
    lost = int((~connections.alive & (connections.at != "s3")).sum())
    equal("200 connections over a network, and s3 leaves", "broken at the others", 0, lost, MOVED)
