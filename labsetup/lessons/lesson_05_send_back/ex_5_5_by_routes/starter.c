#include "checksum.h"
#include "parse.h"

#define AF_INET 2

int by_routes(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	struct iphdr *ip = pkt.ip;
	if (!ip || pkt.tags)
		return XDP_PASS;

	struct bpf_fib_lookup way = {.family = AF_INET};
	/* your code */
	return XDP_PASS;
}
