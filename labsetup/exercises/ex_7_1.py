"""Direct server return, from the packet's side: two addresses change, and nothing else."""

from ..packets import ARP, Ether, frame
from ..topologies import VIP
from . import PASS, equal, expect
from .balancing import (
    BROADCAST,
    CLIENT,
    datagram,
    handed,
    others,
    over_ipv6,
    tell,
    to_another,
    to_vip,
)

TITLE = "Two addresses"
TEXT = """
A balancer with one server. `for_vip()` has already sorted out what is for the VIP and came to lb.

**Hand such a packet to the server**, so that the server can answer the client itself. It is at the
same switch as lb. `pkt.eth` is the Ethernet header, `server->mac` and `config->mac` are the
server's MAC address and lb's own.
"""
NAME = "one_server"
STARTER = """#include "balance.h"

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1);

int one_server(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	struct server *server = servers.lookup(&first);
	if (!config || !server || !for_vip(&pkt, config))
		return XDP_PASS;

	/* your code */
	return XDP_PASS;
}
"""
STARTER_SAYS = "XDP_PASS"
HINTS = (
    "Who is the frame for on its next way, and from whom does it come? Ethernet has a field for "
    "each; and a verdict sends it back to the switch.",
    "mac_swap of lesson 05 copies addresses with __builtin_memcpy(to, from, ETH_ALEN). Here no "
    "address is swapped: both come from the maps.",
    "h_dest becomes the server's, h_source becomes lb's own, and the verdict is XDP_TX. Leave IP "
    "and TCP alone.",
)
SOLUTION = STARTER.replace(
    """	/* your code */
	return XDP_PASS;
""",
    """	__builtin_memcpy(pkt.eth->h_dest, server->mac, ETH_ALEN);
	__builtin_memcpy(pkt.eth->h_source, config->mac, ETH_ALEN);
	return XDP_TX;
""",
)
COMPARE = (
    "hand_over() in bpf/balance.h does the same, and one thing more: it asks whether there is a "
    "server. When would yours send a frame to 00:00:00:00:00:00?"
)
NEXT = (
    'Balancer(net, one_server, servers=["s1"]) attaches it; Connections(net, 50) tries it. Whose '
    "are they all?"
)

FROM = "__builtin_memcpy(pkt.eth->h_source, config->mac, ETH_ALEN);"
TO = "__builtin_memcpy(pkt.eth->h_dest, server->mac, ETH_ALEN);"
NEAR_MISSES = {
    "the client's address kept as the source": (
        [(f"	{FROM}\n", "")],
        "from the MAC address of the client",
    ),
    "the destination kept": ([(f"	{TO}\n", "")], "to lb's own"),
    "the two exchanged": (
        [(TO, "__builtin_memcpy(pkt.eth->h_dest, pkt.eth->h_source, ETH_ALEN);")],
        "to the MAC address of the client",
    ),
    "the addresses crossed": (
        [
            (TO, "__builtin_memcpy(pkt.eth->h_source, server->mac, ETH_ALEN);"),
            (FROM, "__builtin_memcpy(pkt.eth->h_dest, config->mac, ETH_ALEN);"),
        ],
        "to lb's own",
    ),
    "from the VIP, as an answer would be": (
        [(TO, f"{TO}\n	if (pkt.ip)\n		pkt.ip->saddr = config->vip;")],
        "IP src: 198.51.100.10, expected 192.0.2.1",
    ),
    "a hop counted": (
        [(TO, f"{TO}\n	if (pkt.ip)\n		pkt.ip->ttl--;")],
        "IP ttl: 63, expected 64",
    ),
    "rewritten, and left to the stack": ([("XDP_TX", "XDP_PASS")], "XDP_PASS"),
    "to another interface": ([("XDP_TX", "XDP_REDIRECT")], "XDP_REDIRECT"),
    "the VIP not asked for": (
        [("!for_vip(&pkt, config)", "!pkt.eth")],
        "for another address",
    ),
    "only TCP": (
        [("!for_vip(&pkt, config)", "!for_vip(&pkt, config) || pkt.protocol != IPPROTO_TCP")],
        "whatever it carries",
    ),
    "one byte too few": (
        [(FROM, "__builtin_memcpy(pkt.eth->h_source, config->mac, 5);"),
         (TO, "__builtin_memcpy(pkt.eth->h_dest, server->mac, 5);")],
        "How long is a MAC address",
    ),
    "only IPv4": (
        [("	__builtin_memcpy(pkt.eth->h_dest", "	if (!pkt.ip)\n		return XDP_PASS;\n"
          "	__builtin_memcpy(pkt.eth->h_dest")],
        "over IPv6",
    ),
}  # fmt: skip
ALTERNATIVES = {
    "byte by byte": """#include "balance.h"

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1);

int relay(struct xdp_md *ctx)
{
	u8 *byte = (void *)(long)ctx->data;
	int zero = 0;
	struct config *us = settings.lookup(&zero);
	struct server *them = servers.lookup(&zero);
	struct packet pkt;

	parse(ctx, &pkt);
	if (!us || !them || (void *)(byte + 34) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	if (!for_vip(&pkt, us))
		return XDP_PASS;
	for (int i = 0; i < 6; i++) {
		byte[i] = them->mac[i];
		byte[6 + i] = us->mac[i];
	}
	return XDP_TX;
}
""",
    "with the lesson's own word": [(f"	{TO}\n	{FROM}\n	return XDP_TX;",
                                     "	return hand_over(&pkt, config, server);")],
    "what was the destination becomes the source": [
        (TO, "__builtin_memcpy(pkt.eth->h_source, pkt.eth->h_dest, ETH_ALEN);"),
        (FROM, "__builtin_memcpy(pkt.eth->h_dest, server->mac, ETH_ALEN);"),
    ],
}  # fmt: skip

SENDS = "It is for the VIP and came to lb: it goes on to the server, by the way that it came."
OURS = "That is no business of the balancer's."
WHO = "The map says who the server is, and may say another tomorrow."
WHOLE = "Some bytes of an address were not copied. How long is a MAC address?"
SIX = "for_vip() lets it through. It is for the VIP, over IPv6, and its server waits for it."
CUT = "There is no whole IPv4 header in it: leave it to the stack."


def check(program):
    tell(program, "s3")
    to = handed(program, "TCP for the VIP", to_vip(), SENDS)
    equal("TCP for the VIP", "handed to", "s3", to, WHO)
    to_another(program, 0, to_vip(), WHOLE)
    tell(program, "s3")
    handed(program, "TCP for the VIP, over IPv6", over_ipv6(), SIX)
    for what, packet in others().items():
        expect(program, what, packet, PASS, OURS)
    question = Ether(dst=BROADCAST, src=CLIENT) / ARP(pdst=VIP)
    expect(program, "a question for the VIP's MAC address", question, PASS, OURS)
    expect(program, "TCP for the VIP, cut off", frame(to_vip())[:30], PASS, CUT)
    handed(program, "UDP for the VIP", datagram(), "It goes to the server, whatever it carries.")
    tell(program, "s5")
    what = "TCP for the VIP, with s5 in the map"
    to = handed(program, what, to_vip(), SENDS)
    equal(what, "handed to", "s5", to, WHO)
