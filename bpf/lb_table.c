// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A flow to the VIP goes to the owner of its row, in a table that user space fills: one
 * look, however many servers.  The second table is filled while the first is in use; a
 * write to `active` puts it in its place.  Other packets go on to the stack.
 */
#include "balance.h"

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);
BPF_ARRAY(tables, struct table, 2);
BPF_ARRAY(active, u32, 1);

SEC("xdp")
int lb_table(struct xdp_md *ctx)
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
	return hand_over(&pkt, config, servers.lookup(&place));
}
