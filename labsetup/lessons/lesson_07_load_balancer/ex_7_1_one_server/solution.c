#include "balance.h"

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

	__builtin_memcpy(pkt.eth->h_dest, server->mac, ETH_ALEN);
	__builtin_memcpy(pkt.eth->h_source, config->mac, ETH_ALEN);
	return XDP_TX;
}
