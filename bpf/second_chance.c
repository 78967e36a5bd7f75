// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As to_owner.c, and nobody's connection breaks when the set of servers changes: a packet
 * of a connection that its flow's owner does not have gets a second chance, with the
 * server that owned the flow before.
 */
#include "hops.h"
#include "socket.h"

struct rows { /* of each row, its owner now and the one before; as u16, see balance.h */
	u8 owners[2 * 2 * 65536] __attribute__((aligned(4)));
};

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);
BPF_ARRAY(tables, struct rows, 2);
BPF_ARRAY(active, u32, 1);

SEC("xdp")
int second_chance(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	if (!config || !for_vip(&pkt, config) || hops_of(pkt.eth) == MOST_HOPS)
		return XDP_PASS;
	u32 *which = active.lookup(&first);
	struct rows *rows = which ? tables.lookup(which) : NULL;
	if (!rows)
		return XDP_PASS;

	struct five_tuple flow;
	flow_of(&pkt, &flow);
	bool begun = flow.protocol == IPPROTO_TCP && flow.source_port && !is_syn(&pkt);
	enum claim claim = begun ? claim_to(ctx, &pkt, &flow) : NONE;
	if (claim == STRONG)
		return XDP_PASS;

	const u16 *row = (void *)rows->owners + (hash(&flow, &config->key) & 0xffff) * 4;
	u32 now = row[0], before = row[1];
	struct server *server = servers.lookup(&now);
	u8 hops = hops_of(pkt.eth) + 1;
	bool here = !is_there(server) || same_mac(server->mac, config->mac);
	if (here && begun && claim == NONE) {
		server = servers.lookup(&before); /* who has no third chance to offer */
		hops = MOST_HOPS;
	}
	return hand_on(&pkt, config, server, hops);
}
