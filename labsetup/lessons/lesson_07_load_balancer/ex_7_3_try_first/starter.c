#include "balance.h"

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
