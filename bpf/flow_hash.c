// SPDX-License-Identifier: GPL-2.0-or-later
/* Every packet goes on to the stack; the hash of its five-tuple is left in a map. */
#include "hash.h"

BPF_ARRAY(keys, struct hash_key, 1);
BPF_ARRAY(hashes, u64, 1);

SEC("xdp")
int flow_hash(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	struct five_tuple flow;
	if (!five_tuple(&pkt, &flow))
		return XDP_PASS;

	int first = 0;
	struct hash_key *key = keys.lookup(&first);
	u64 *place = hashes.lookup(&first);
	if (key && place)
		*place = hash(&flow, key);

	return XDP_PASS;
}
