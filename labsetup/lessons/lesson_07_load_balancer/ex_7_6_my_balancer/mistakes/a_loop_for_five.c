#include "balance.h"

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);

static __always_inline u32 stirred(u64 x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;
	return x >> 32;
}

int my_balancer(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	if (!config || !config->servers || !for_vip(&pkt, config))
		return XDP_PASS;

	struct five_tuple flow;
	flow_of(&pkt, &flow);
	u64 number = hash(&flow, &config->key);
	u32 best = 0, winner = 0;
	for (u32 i = 0; i < 5 && i < config->servers; i++) {
		u32 place = i;
		struct server *server = servers.lookup(&place);
		if (!server)
			break;
		u32 score = stirred(number ^ server->seed);
		if (score >= best) {
			best = score;
			winner = i;
		}
	}
	return hand_over(&pkt, config, servers.lookup(&winner));
}
