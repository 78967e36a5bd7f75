"""A loss that no error tells of, found by the law of conservation."""

import time

from ..observe import account
from ..packets import ICMP, IP, TCP, UDP, Ether, IPv6, send
from ..topologies import two_hosts
from . import DROP, PASS, Wrong, expect, expect_each

TITLE = "One kind is missing"
TEXT = """
This program is said to send TCP to port 7 back where it came in, the frame as it is, to drop UDP,
and to let all else go on. Its author sent a few packets of each kind, saw no error, and went home.
Since then the network's account does not balance.

**Find out which packets have no fate, and mend the program** so that it does what it says. Attach
it, begin `law = account(net)`, and send one kind after the other with `send(net.client.eth0, …)`.
"""
NAME = "sorter"
STARTER = """#include "parse.h"

struct tcphdr {
	__be16 source, dest;
};

enum { ENDS = 1, GOES_ON, GOES_BACK = 4 };

int sorter(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	struct tcphdr *tcp = pkt.l4;
	if (!tcp || (void *)(tcp + 1) > pkt.end)
		return GOES_ON;

	if (pkt.protocol == IPPROTO_UDP)
		return ENDS;
	if (pkt.protocol == IPPROTO_TCP && tcp->dest == htons(7))
		return GOES_BACK;
	return GOES_ON;
}
"""
STARTER_SAYS = "missing 5"
HINTS = (
    "Send five packets of each kind that the program knows, as with send(net.client.eth0, IP() / "
    "TCP(dport=7), count=5), and look at law after each. In which column do they appear?",
    "Those to TCP port 7 appear in none. Which verdict does the program return for them? "
    "sorter.run(…) tells.",
    "A name in C is no more than its number, and one without = has the next. Compare the three "
    "numbers with those in lesson 01's table of verdicts.",
)
SOLUTION = STARTER.replace("GOES_BACK = 4", "GOES_BACK")
COMPARE = "Does yours still have numbers of its own? enum xdp_action has a name for each verdict."
NEXT = (
    "Return 5 for them: a number that is no verdict. Is the account balanced? Who "
    "tells of such a packet? (sorter drops UDP, so as long as it is attached no name is answered: "
    "passing.attach(net.server.eth0) takes its place.)"
)

TO_SEVEN = """	if (pkt.protocol == IPPROTO_TCP && tcp->dest == htons(7))
		return GOES_BACK;
"""
NEAR_MISSES = {
    "let through instead": ([("GOES_BACK }", "GOES_BACK = 2 }")], "sent back 0"),
    "dropped instead: nothing is missing": ([("GOES_BACK }", "GOES_BACK = 1 }")], "sent back 0"),
    "the next number": ([("GOES_BACK }", "GOES_BACK = 5 }")], "aborted 5"),
    "the question taken out": ([(TO_SEVEN, "")], "sent back 0"),
    "all TCP goes back": ([(" && tcp->dest == htons(7)", "")], "TCP to port 80"),
    "all numbers moved": ([("ENDS = 1,", "ENDS,")], "passed 0, dropped 5"),
    "anything to port 7 goes back": (
        [("pkt.protocol == IPPROTO_TCP && ", "")],
        "this is not TCP",
    ),
    "IPv4 only": ([("if (!tcp ||", "if (!tcp || !pkt.ip ||")], "over IPv6"),
    "TCP from port 7": ([("tcp->dest", "tcp->source")], "sent back 0"),
    "half of the port": (
        [("tcp->dest == htons(7)", "(u8)ntohs(tcp->dest) == 7")],
        "TCP from port 7 to port 263",
    ),
    "written into": (
        [("		return GOES_BACK;", "		{ tcp->dest = tcp->source; return GOES_BACK; }")],
        "Which fields does yours write",
    ),
    "UDP saved as well": ([("		return ENDS;", "		return GOES_ON;")], "dropped 0"),
}
ALTERNATIVES = {
    "with the kernel's names": [
        ("enum { ENDS = 1, GOES_ON, GOES_BACK };\n\n", ""),
        ("		return ENDS;", "		return XDP_DROP;"),
        (
            "		return GOES_BACK;\n	return GOES_ON;",
            "		return XDP_TX;\n	return XDP_PASS;",
        ),
        ("pkt.end)\n		return GOES_ON;", "pkt.end)\n		return XDP_PASS;"),
    ],
    "written anew": """#include "parse.h"

int anew(struct xdp_md *ctx)
{
	int verdict = XDP_PASS;
	struct packet pkt;
	parse(ctx, &pkt);

	switch (pkt.protocol) {
	case IPPROTO_UDP:
		if (pkt.l4)
			verdict = XDP_DROP;
		break;
	case IPPROTO_TCP: {
		u8 *port = pkt.l4 + 2;
		if (pkt.l4 && (void *)(port + 2) <= pkt.end && port[0] == 0 && port[1] == 7)
			verdict = XDP_TX;
	}
	}
	return verdict;
}
""",
    "sent back by the kernel's helper": [
        ("		return GOES_BACK;", "		return bpf_redirect(ctx->ingress_ifindex, 0);")
    ],
}

KINDS = [  # nothing that anybody answers
    ("pings' answers", IP() / ICMP(type=0), "passed", "All else is to go on."),
    ("TCP to port 80", IP() / TCP(dport=80, flags="R"), "passed",
     "All else is to go on: this is TCP, and not to port 7."),
    ("frames of an unknown EtherType", Ether(type=0x88B5) / b"experiment", "passed",
     "All else is to go on."),
    ("UDP", IP() / UDP(dport=4242), "dropped", "UDP is to end here, as before."),
    ("TCP to port 7", IP() / TCP(dport=7, flags="R"), "sent back",
     "The account balances, but that is not what the program is said to do with these."),
]  # fmt: skip
SIX = "IPv4 or IPv6, TCP is TCP and UDP is UDP: parse() finds both."
OVER_IPV6 = ("TCP to port 7 over IPv6", IPv6() / TCP(dport=7, flags="R"), "sent back", SIX)
AS_IT_IS = "The frame goes back as it is. Which fields does yours write?"
SINGLE = [  # their verdicts tell as much as a network, and sooner
    ("SCTP to port 7", IP(proto=132) / bytes(UDP(dport=7)), PASS,
     "All else is to go on: to port 7, but this is not TCP."),
    ("TCP from port 7 to port 263", IP() / TCP(sport=7, dport=263), PASS,
     "All else is to go on. Is this TCP to port 7?"),
    ("UDP over IPv6", IPv6() / UDP(dport=4242), DROP, SIX),
]  # fmt: skip
EACH = 5
LOST = "Send one kind at a time: which is it that has no fate? Then ask run() for its verdict."


def fates(net, packets):
    """What becomes of packets at the server, when all of them have come or are lost."""
    law = account(net)
    send(net.client.eth0, packets, count=EACH)
    end = time.monotonic() + 0.3
    while (rows := law.balances)[1].missing and time.monotonic() < end:
        time.sleep(0.01)  # polls: nobody tells when the last one has come
    client, server = rows
    back = server.sent_back + min(server.redirected, client.received)  # by the kernel's helper
    return {"passed": server.passed, "dropped": server.dropped, "aborted": server.aborted,
            "sent back": back, "missing": server.missing}  # fmt: skip


def check(program):
    net = two_hosts()
    program.attach(net.server.eth0)
    found = fates(net, [packet for _, packet, *_ in KINDS])
    sent = f"{EACH} packets each of {len(KINDS)} kinds"
    if found["missing"]:
        raise Wrong(sent, "missing 0", _shown(found), LOST)
    for what, packet, fate, think in [*KINDS, OVER_IPV6]:
        found = fates(net, packet)
        if found[fate] != EACH:
            raise Wrong(f"{EACH} {what}", f"{fate} {EACH}", _shown(found, fate), think)
    expect_each(program, SINGLE)
    seven = IP() / TCP(sport=4242, dport=7)
    verdict = program.run(seven).verdict  # there is more than one that sends back
    expect(program, "TCP to port 7", seven, verdict, AS_IT_IS, seven)


def _shown(found, asked=None):
    return ", ".join(f"{fate} {n}" for fate, n in found.items() if n or fate == asked)
