// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each flow to the VIP gives every server a score, and goes to the highest: a server
 * that leaves takes its own flows along and moves no other.  Other packets go on to
 * the stack.
 */
#include "balance.h"

#define SERVERS 64 /* at most; the verifier walks through each turn of the loop */

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);

/* Each bit of x moves half of the others.  The finalizer of MurmurHash3 (Appleby). */
static __always_inline u64 mixed(u64 x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;
	return x ^ x >> 33;
}

/* All ones where a < b, else 0: the borrow of a - b.  A branch would double what is verified. */
static __always_inline u64 less(u64 a, u64 b)
{
	return -(((~a & b) | ((~a | b) & (a - b))) >> 63);
}

SEC("xdp")
int lb_rendezvous(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	if (!config || !config->servers || !for_vip(&pkt, config))
		return XDP_PASS;

	struct five_tuple flow;
	flow_of(&pkt, &flow);
	u64 number = hash(&flow, &config->key), best = 0;
	u32 winner = 0;
	for (u32 i = 0; i < SERVERS && i < config->servers; i++) {
		u32 place = i; /* lookup() wants an address; the verifier counts what has none */
		struct server *server = servers.lookup(&place);
		if (!server)
			break;
		u64 score = mixed(number ^ server->seed), better = less(best, score);
		best ^= (best ^ score) & better;
		winner ^= (winner ^ place) & better;
	}
	return hand_over(&pkt, config, servers.lookup(&winner));
}
