// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every server runs this and has the VIP.  A packet whose flow another server owns goes
 * on to that one; its own, and whatever has been handed on before, goes up to the stack.
 */
#include "hops.h"

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);
BPF_ARRAY(tables, struct table, 2);
BPF_ARRAY(active, u32, 1);

SEC("xdp")
int to_owner(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	if (!config || !for_vip(&pkt, config) || hops_of(pkt.eth))
		return XDP_PASS;

	u32 *which = active.lookup(&first);
	struct table *table = which ? tables.lookup(which) : NULL;
	if (!table)
		return XDP_PASS;

	struct five_tuple flow;
	flow_of(&pkt, &flow);
	u32 place = owner(table, hash(&flow, &config->key));
	return hand_on(&pkt, config, servers.lookup(&place), 1);
}
