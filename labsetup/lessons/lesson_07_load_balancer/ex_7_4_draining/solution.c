#include "balance.h"
#include "socket.h"

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);
BPF_ARRAY(tables, struct table, 2);
BPF_ARRAY(active, u32, 1);
BPF_TABLE("lru_hash", struct five_tuple, u32, flows, 16384);

int draining(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	u32 *which = active.lookup(&first);
	struct table *table = which ? tables.lookup(which) : NULL;
	if (!config || !table || !for_vip(&pkt, config))
		return XDP_PASS;

	struct five_tuple flow;
	flow_of(&pkt, &flow);
	u32 place = owner(table, hash(&flow, &config->key));

	u32 *known = flows.lookup(&flow);
	if (is_syn(&pkt))
		flows.update(&flow, &place);
	else if (known && is_there(servers.lookup(known)))
		place = *known;
	return hand_over(&pkt, config, servers.lookup(&place));
}
