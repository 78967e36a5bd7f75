"""XDP sees what arrives at an interface, not what leaves it."""

import time

from ..hosts import Interface
from ..packets import Ether, send
from ..program import Program
from ..topologies import three_hosts
from . import Wrong

TITLE = "The right end"
TEXT = """
Three hosts in a row, `client eth0 - eth0 middle eth1 - eth0 server`. You want a program to meet
what the **client sends to middle**, and nothing that middle sends to the client.

**Say at which interface** it must be attached. The check builds that network and hands it to
`place`; the `net` above is another one.
"""
NAME = "place"
STARTER = """def place(net):
    return net.client.eth0  # your interface


check("1.3")
"""
STARTER_SAYS = "what leaves"
HINTS = (
    "What does the colleague's program see, in the notebook above, at the client's end?",
    "XDP runs where a frame comes in. Where does a frame that the client sends come in first?",
    "At the other end of the client's wire. Whose interface is that?",
)
SOLUTION = """def place(net):
    return net.middle.eth0
"""
COMPARE = (
    "Yours may name it, or go there over the wire: net.client.eth0.peer is the same interface."
)
NEXT = "Which interface would you take for what the server sends to middle?"

NEAR_MISSES = {
    "where it leaves": ([("net.middle.eth0", "net.client.eth0")], "what leaves"),
    "the far side of middle": ([("net.middle.eth0", "net.middle.eth1")], "another wire"),
    "where it ends": ([("net.middle.eth0", "net.server.eth0")], "another wire"),
    "its name": ([("net.middle.eth0", '"eth0"')], "not an interface"),
    "an interface of nobody's": ([("net.middle.eth0", "eth0")], "belongs to a host"),
    "the host": ([("net.middle.eth0", "net.middle")], "not an interface"),
    "printed, not returned": ([("return net.middle.eth0", "print(net.middle.eth0)")], "return"),
}
ALTERNATIVES = {
    "over the wire": [("net.middle.eth0", "net.client.eth0.peer")],
    "by a search": """def place(net):
    for interface in net.middle.interfaces.values():
        if interface.peer.host is net.client:
            return interface
""",
}


PROBE = """#include "xdp.h"

BPF_ARRAY(met, u64, 1);

int probe(struct xdp_md *ctx) /* hosts say things of their own: count only what is sent here */
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	int key = 0;
	u64 *count = met.lookup(&key);

	if (count && (void *)(eth + 1) <= (void *)(long)ctx->data_end && eth->h_proto == htons(0x88b5))
		__sync_fetch_and_add(count, 1);
	return XDP_PASS;
}
"""
SENT = "10 frames from the client to middle, and 10 back"
LEAVES = "XDP sees what arrives, not what leaves: these frames leave here."
ELSEWHERE = "Those frames never come by here: this is another wire."


def check(place):
    net = three_hosts()
    try:
        chosen = place(net)
    except NameError as error:
        think = "An interface belongs to a host, and a host to net, as in net.server.eth0."
        raise Wrong(SENT, "an interface", str(error), think) from error
    if chosen is None:
        raise Wrong(SENT, "an interface", "None", "Does your function return what it found?")
    if not isinstance(chosen, Interface):
        shown = repr(chosen).splitlines()[0]
        think = "That is not an interface; net.server.eth0 is one."
        raise Wrong(SENT, "an interface", shown, think)
    probe = Program("probe", PROBE)
    probe.attach(chosen)
    met = []
    for out in (net.client.eth0, net.middle.eth0):
        send(out, Ether(type=0x88B5) / b"experiment", count=10)
        end = time.monotonic() + 0.3
        while probe["met"][0] < 10 and time.monotonic() < end:
            time.sleep(0.01)  # polls: nobody tells when the last one has come
        met.append(probe["met"][0])
        probe["met"].clear()
    if met != [10, 0]:
        where = f"{chosen.host.name} {chosen.name}"
        happened = f"at {where} it met {met[0]} of them, and {met[1]} of those that went back"
        think = LEAVES if met == [0, 10] else ELSEWHERE
        raise Wrong(SENT, "the program meets the first ten and no other", happened, think)
