#include "balance.h"

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);
BPF_ARRAY(tables, struct table, 2);
BPF_ARRAY(active, u32, 1);

int one_hop(struct xdp_md *ctx)
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
	struct server *server = servers.lookup(&place);

	if (pkt.eth->h_source[0] == 0x06)
		return XDP_PASS;
	if (server && same_mac(server->mac, config->mac))
		return XDP_PASS;

	int verdict = hand_over(&pkt, config, server);
	if (verdict == XDP_TX)
		pkt.eth->h_source[0] = 0x06;
	return verdict;
}
