// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All packets of a flow to the VIP go to one server: the hash of the flow, divided
 * by the number of servers, leaves its place over.  Every other packet goes on to
 * the stack.
 */
#include "balance.h"

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);

SEC("xdp")
int lb_modulo(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	if (!config || !config->servers || !for_vip(&pkt, config))
		return XDP_PASS;

	struct five_tuple flow;
	flow_of(&pkt, &flow);
	u32 place = hash(&flow, &config->key) % config->servers;
	return hand_over(&pkt, config, servers.lookup(&place));
}
