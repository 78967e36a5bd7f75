#include "hash.h"

BPF_ARRAY(seeds, u64, 16);
BPF_ARRAY(chosen, u32, 1);

static __always_inline u64 mixed(u64 x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;
	return x ^ x >> 33;
}

int ranked(struct xdp_md *ctx)
{
	struct hash_key key = {{2024, 204}};
	struct five_tuple flow;
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	u32 *winner = chosen.lookup(&first);
	if (!winner || !five_tuple(&pkt, &flow))
		return XDP_PASS;
	u64 number = hash(&flow, &key), best = 0;

	for (u32 i = 0; i < 16; i++) {
		u32 place = i;
		u64 *seed = seeds.lookup(&place);
		if (!seed || !*seed)
			continue;
		u64 score = mixed(number ^ *seed);
		if (score > best) {
			best = score;
			*winner = place;
		}
	}
	return XDP_PASS;
}
