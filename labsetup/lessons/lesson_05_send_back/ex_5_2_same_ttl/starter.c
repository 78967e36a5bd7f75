#include "xdp.h"

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

	ip->check += htons((ip->ttl - 64) << 8); /* what the TTL loses, it gains */
	ip->ttl = 64;
	return XDP_PASS;
}
