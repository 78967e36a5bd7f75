#include "checksum.h"

int same_ttl(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > data_end || eth->h_proto != htons(ETH_P_IP))
		return XDP_PASS;
	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > data_end)
		return XDP_PASS;
	if (ip->ttl <= 64)
		return XDP_PASS;

	ip->check = mended(ip->check, htons(ip->ttl << 8), htons(64 << 8));
	ip->ttl = 64;
	return XDP_PASS;
}
