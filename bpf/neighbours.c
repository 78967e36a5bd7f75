// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The router's neighbour table is the balancer: a next hop's MAC address is made up, and
 * names two places in `servers`, 0a:00:BEFORE:NOW.  Who is named last takes the packet, but
 * one of a connection that it does not have goes once to whom it names before.
 */
#include "hops.h"
#include "socket.h"

struct made_up {
	__be16 mark; /* locally administered, as HOPS_MAC, and another */
	__be16 before, now;
};

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024); /* nothing in it changes; nobody is in place 0 */

SEC("xdp")
int neighbours(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	if (!config || !to_vip(&pkt, config))
		return XDP_PASS;
	struct made_up *names = (void *)pkt.eth->h_dest;
	u32 now = ntohs(names->now), before = ntohs(names->before);
	struct server *server = servers.lookup(&now);
	bool here = is_there(server) && same_mac(server->mac, config->mac);
	if (names->mark != htons(0x0a00) || !here)
		return XDP_PASS; /* a server has handed it on, or it is for another one */

	struct five_tuple flow;
	flow_of(&pkt, &flow);
	bool begun = flow.protocol == IPPROTO_TCP && flow.source_port && !is_syn(&pkt);
	if (begun && claim_to(ctx, &pkt, &flow) == NONE) {
		struct server all = {};
		__builtin_memset(all.mac, 0xff, ETH_ALEN);
		/* The router has hashed an error itself, and not what it quotes: anybody's. */
		server = is_error(&pkt) ? &all : servers.lookup(&before);
		if (hand_on(&pkt, config, server, 1) == XDP_TX)
			return XDP_TX;
	}
	__builtin_memcpy(pkt.eth->h_dest, config->mac, ETH_ALEN); /* whom its stack knows */
	return XDP_PASS;
}
