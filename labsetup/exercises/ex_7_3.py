"""Two tables, of which one is in use: the other can be tried before everybody gets it."""

from ..packets import ICMP, IP, TCP, Ether, Raw
from ..topologies import VIP
from . import PASS, Wrong, equal, expect
from .balancing import CLIENT, LB, SERVERS, handed, others, raw, rows_of, tell, to_vip

TITLE = "Try it first"
TEXT = """
`use()` fills the table that nobody reads, and puts it in the place of the other. What if it is
wrong? You want to try it before everybody gets it.

**Let the connections of one client, 192.0.2.99, go by the table that is not active**, errors about
them included. All others go by the active one, whichever of the two that is.

`flow` is a `struct five_tuple`. In `bpf/hash.h`, `put_ip()` shows where an IPv4 address lies in it.
"""
NAME = "try_first"
STARTER = """#include "balance.h"

#define TESTER htonl(0xc0000263) /* 192.0.2.99 */

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);
BPF_ARRAY(tables, struct table, 2);
BPF_ARRAY(active, u32, 1);

int try_first(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	u32 *which = active.lookup(&first);
	if (!config || !which || !for_vip(&pkt, config))
		return XDP_PASS;

	struct five_tuple flow;
	flow_of(&pkt, &flow);
	/* your code */
	struct table *table = tables.lookup(which);
	if (!table)
		return XDP_PASS;
	u32 place = owner(table, hash(&flow, &config->key));
	return hand_over(&pkt, config, servers.lookup(&place));
}
"""
STARTER_SAYS = "by the table that everybody has"
HINTS = (
    "The pointer named which leads into the map. Take a number of your own, and leave the map's "
    "alone. Which number has the table that is not active?",
    "An error comes from a router, and its own source says nothing. flow_of() has found out whose "
    "connection it is about.",
    "flow.source[1] >> 32, as a u32, is the client's IPv4 address. If it is TESTER, the number is "
    "1 - *which.",
)
SOLUTION = STARTER.replace(
    """	/* your code */
	struct table *table = tables.lookup(which);
""",
    """	u32 number = *which;
	if ((u32)(flow.source[1] >> 32) == TESTER)
		number = 1 - number;
	struct table *table = tables.lookup(&number);
""",
)
COMPARE = (
    "Yours may ask pkt.ip->saddr first. What does it find in an error, and what in a packet over "
    "IPv6?"
)
NEXT = (
    "After the swap the tester reads the old table, until it is filled anew. What would you write "
    "into active to say that there is nothing to try?"
)

SOURCE = "(u32)(flow.source[1] >> 32) == TESTER"
NUMBER = "number = 1 - number;"
NEAR_MISSES = {
    "the address in host byte order": ([("htonl(0xc0000263)", "0xc0000263")],
                                       "It takes 99.2.0.192 for the tester"),
    "turned round twice": ([("== TESTER", "== htonl(TESTER)")],
                           "It takes 99.2.0.192 for the tester"),
    "both halves of the word": ([(SOURCE, "flow.source[1] == TESTER")], "which half of it"),
    "the other half of the word": ([(SOURCE, "(u32)flow.source[1] == TESTER")], "which half of it"),
    "the other word": ([(SOURCE, "flow.source[0] >> 32 == TESTER")], "which half of it"),
    "the packet's own source, and all ICMP": (
        [(SOURCE, "pkt.ip && (pkt.ip->saddr == TESTER || pkt.ip->protocol == IPPROTO_ICMP)")],
        "an ICMP error about a connection of 192.0.2.1's",
    ),
    "the packet's own source": (
        [(SOURCE, "pkt.ip && pkt.ip->saddr == TESTER")], "an ICMP error about",
    ),
    "the destination": ([("flow.source[1]", "flow.destination[1]")],
                        "by the table that everybody has"),
    "the wrong way round": ([("== TESTER", "!= TESTER")], "by the table that is to be tried"),
    "the whole network": (
        [(SOURCE, "((u32)(flow.source[1] >> 32) & htonl(0xffffff00)) == (TESTER & "
          "htonl(0xffffff00))")],
        "by the table that is to be tried",
    ),
    "swapped for everybody": ([(NUMBER, "*which = number = 1 - number;")], "right after one from"),
    "always the second table": ([(NUMBER, "number = 1;")], "tables[1] being active"),
    "the next number": ([(NUMBER, "number = number + 1;")], "tables[1] being active"),
    "always the first for the others": ([("u32 number = *which", "u32 number = 0")],
                                        "tables[1] being active"),
    "handed on by the table's number": (
        [("u32 place = owner(table, hash(&flow, &config->key));", "u32 place = number;")],
        "or one of its rows",
    ),
}  # fmt: skip
ALTERNATIVES = {
    "both looked up, one chosen": [
        ("	u32 number = *which;\n", "	u32 now = *which, other = !now;\n"),
        (f"		{NUMBER}\n	struct table *table = tables.lookup(&number);\n",
         "		now = other;\n	struct table *table = tables.lookup(&now);\n"),
    ],
    "by exclusive or": [
        (f"	u32 number = *which;\n	if ({SOURCE})\n		{NUMBER}\n",
         f"	u32 number = *which ^ ({SOURCE});\n"),
    ],
    "byte by byte": [
        (SOURCE, "((u8 *)flow.source)[12] == 192 && ((u8 *)flow.source)[13] == 0 && "
                 "((u8 *)flow.source)[14] == 2 && ((u8 *)flow.source)[15] == 99"),
    ],
}  # fmt: skip

TESTER, MIRRORED = "192.0.2.99", "99.2.0.192"
OLD, NEW = ("s1", "s2"), ("s4", "s5")
SENDS = "It is for the VIP and came to lb, so it goes to a server. Tables have the numbers 0 and 1."
WHOSE = "Whose connection does the program take it for, and which table has it looked in?"
TURNED = "It takes {} for the tester. In which order are the bytes of TESTER, and those of flow?"
NOBODY = (
    "Nobody is taken for the tester. In which word of flow.source is the client's address, and in "
    "which half of it? put_ip() in hash.h says so."
)
NUMBERED = "The tester is known. What names the server: a table's number, or one of its rows?"
WRITTEN = "One client's packets must change nothing for others. What does the program write to?"
QUOTES = "The error comes from a router. Whose connection is it about?"
ROW = "The table is the right one. A row of it names the server."


def check(program):
    names = list(SERVERS)
    tell(program, *names)
    for active, tables in enumerate(((OLD, NEW), (NEW, OLD))):
        for number, servers in enumerate((OLD, NEW)):
            program["tables"][number] = {"rows": rows_of(names, servers)}
        program["active"][0] = active
        everybody, tried = tables
        _try(program, active, everybody, tried)


def _try(program, active, everybody, tried):
    state = f"tables[{active}] being active"
    table = {everybody: "the table that everybody has", tried: "the table that is to be tried"}

    def goes(what, packet, wanted, think):
        to = handed(program, f"{what}, {state}", packet, SENDS)
        if to not in wanted:
            found = next((words for servers, words in table.items() if to in servers), "neither")
            raise Wrong(f"{what}, {state}", f"handed to {' or '.join(wanted)}",
                        f"handed to {to}, by {found}",
                        think() if callable(think) else think)  # fmt: skip
        return to

    def unseen():
        """Why the tester may go by the table that everybody has."""
        ways = [{program.run(to_vip(port, src=client)).after[:6] for port in ports}
                for client in (TESTER, "192.0.2.1")]  # fmt: skip
        if ways[0] != ways[1]:
            return NUMBERED
        run = program.run(to_vip(src=MIRRORED))
        if any(run.after.startswith(raw(SERVERS[name])) for name in tried):
            return TURNED.format(MIRRORED)
        return WHOSE if active else NOBODY  # for it was seen while the other was active

    def error(client, port):
        quoted = IP(src=VIP, dst=client) / TCP(sport=80, dport=port)
        head = Ether(dst=LB, src=CLIENT) / IP(src="203.0.113.9", dst=VIP) / ICMP(type=3, code=4)
        return head / Raw(bytes(quoted))

    ports = range(40_000, 40_020)
    at = {}
    for port in ports:
        goes("a packet from 192.0.2.1", to_vip(port), everybody, WHOSE)
        what = f"a packet from {TESTER}"
        at[port] = goes(what, to_vip(port, src=TESTER), tried, unseen)
        what = f"a packet from 192.0.2.1, right after one from {TESTER}"
        think = WRITTEN if program["active"][0] != active else WHOSE
        goes(what, to_vip(port), everybody, think)
    equal(f"20 connections of {TESTER}'s, {state}", "servers that have some:", 2,
          len(set(at.values())), ROW)  # fmt: skip
    for other in ("192.0.2.98", "192.0.3.99", MIRRORED, "192.0.2.1"):
        goes(f"a packet from {other}", to_vip(src=other), everybody, WHOSE)
    for port in ports:
        what = f"an ICMP error about a connection of {TESTER}'s"
        to = goes(what, error(TESTER, port), tried, QUOTES)
        equal(what, "handed to", at[port], to, QUOTES)
        what = "an ICMP error about a connection of 192.0.2.1's"
        goes(what, error("192.0.2.1", port), everybody, QUOTES)
    for what, packet in others().items():
        expect(program, what, packet, PASS, "That is no business of the balancer's.")
