#include "balance.h"
#include "socket.h"

struct row { u32 owners[3]; }; /* places: now, before, and before that */
BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 64);
BPF_ARRAY(rows, struct row, 16);
BPF_HASH(mine, struct five_tuple, u8);

int third_chance(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	if (!config || !for_vip(&pkt, config))
		return XDP_PASS;
	struct five_tuple flow;
	flow_of(&pkt, &flow);
	u32 index = hash(&flow, &config->key) & 0xf;
	struct row *row = rows.lookup(&index);
	if (!row || mine.lookup(&flow))
		return XDP_PASS;
	u8 hops = pkt.eth->h_source[0] == 6 ? pkt.eth->h_source[1] : 0;

	for (u32 i = 0; i < 3; i++) {
		/* your code: is owners[i] the one? */
	}
	return XDP_PASS;
}
