#include "xdp.h"

int no_six(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	return eth->h_proto == htons(ETH_P_IPV6) ? XDP_DROP : XDP_PASS;
}
