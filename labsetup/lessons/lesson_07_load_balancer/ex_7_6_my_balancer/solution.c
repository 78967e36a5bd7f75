#include "balance.h"

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);
BPF_ARRAY(tables, struct table, 2);
BPF_ARRAY(active, u32, 1);

int my_balancer(struct xdp_md *ctx)
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
	struct server *server = servers.lookup(&place);
	if (!is_there(server))
		return XDP_PASS;

	__builtin_memcpy(pkt.eth->h_dest, server->mac, ETH_ALEN);
	__builtin_memcpy(pkt.eth->h_source, config->mac, ETH_ALEN);
	return XDP_TX;
}
