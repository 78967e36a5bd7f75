// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As lb_modulo.c, but the flow's hash is the exclusive or of its words, with no key:
 * whoever sends the packets can work out which server gets them.
 */
#include "balance.h"

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);

/* Flip two bits, any multiple of 16 apart, and the result is the same. */
static __always_inline u16 folded(const struct five_tuple *flow)
{
	const u64 *word = (const void *)flow;
	u64 all = word[0] ^ word[1] ^ word[2] ^ word[3] ^ word[4];

	return all ^ all >> 16 ^ all >> 32 ^ all >> 48;
}

SEC("xdp")
int lb_xor(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	if (!config || !config->servers || !for_vip(&pkt, config))
		return XDP_PASS;

	struct five_tuple flow;
	flow_of(&pkt, &flow);
	u32 place = folded(&flow) % config->servers;
	return hand_over(&pkt, config, servers.lookup(&place));
}
