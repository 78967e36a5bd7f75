#include "parse.h"

BPF_PERCPU_ARRAY(protocols, u64, 256);

int by_protocol(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	if (!pkt.ip || pkt.tags)
		return XDP_PASS;

	u32 key = pkt.protocol;
	u64 *count = protocols.lookup(&key);
	if (count)
		*count += 1;
	return XDP_PASS;
}
