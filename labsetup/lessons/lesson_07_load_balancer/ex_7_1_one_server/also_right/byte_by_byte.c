#include "balance.h"

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
