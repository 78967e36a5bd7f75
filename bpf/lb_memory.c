// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As lb_table.c, but a TCP connection stays with the server that it began with, whoever
 * owns its row by now, while that server is there and the connection not forgotten.
 */
#include "balance.h"

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);
BPF_ARRAY(tables, struct table, 2);
BPF_ARRAY(active, u32, 1);
BPF_TABLE("lru_hash", struct five_tuple, u32, flows, 16384); /* what rests longest goes first */

/* Flags of a TCP header that is there as a whole; of anything else, 0. */
static __always_inline u8 tcp_flags(struct packet *pkt)
{
	u8 *tcp = pkt->l4;
	if (!tcp || pkt->protocol != IPPROTO_TCP || pkt->fragment != WHOLE || pkt->length < 20)
		return 0;
	return (void *)(tcp + 20) > pkt->end ? 0 : tcp[13];
}

SEC("xdp")
int lb_memory(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	if (!config || !for_vip(&pkt, config))
		return XDP_PASS;

	struct five_tuple flow;
	flow_of(&pkt, &flow);
	u8 flags = tcp_flags(&pkt);
	/* SYN without ACK begins a connection: what its ports were used for before is over. */
	u32 *known = (flags & 0x12) == 0x02 ? NULL : flows.lookup(&flow);
	struct server *server = known ? servers.lookup(known) : NULL;
	if (is_there(server))
		return hand_over(&pkt, config, server);

	u32 *which = active.lookup(&first);
	struct table *table = which ? tables.lookup(which) : NULL;
	if (!table)
		return XDP_PASS;
	u32 place = owner(table, hash(&flow, &config->key));
	server = servers.lookup(&place);
	if (flags && is_there(server))
		flows.update(&flow, &place);
	return hand_over(&pkt, config, server);
}
