// SPDX-License-Identifier: GPL-2.0-or-later
/* Each packet to the VIP goes to any server, whatever went where before; others to the stack. */
#include "balance.h"

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);

SEC("xdp")
int lb_random(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	if (!config || !config->servers || !for_vip(&pkt, config))
		return XDP_PASS;

	u32 place = bpf_get_prandom_u32() % config->servers;
	return hand_over(&pkt, config, servers.lookup(&place));
}
