"""XDP sees what arrives at an interface, not what leaves it.

A program that counts is attached where the reader says, and frames go by in both directions: the
two counts tell the wrong end from the wrong wire.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from labsetup import Ether, Program, send, three_hosts
from labsetup.network.interface import Interface
from labsetup.network.network import Network
from labsetup.practice.checking import Wrong

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


def check(place: Callable[[Network], object]) -> None:
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
