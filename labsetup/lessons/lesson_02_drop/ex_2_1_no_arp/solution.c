#include "xdp.h"

int no_arp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;

	if (eth->h_proto == htons(ETH_P_ARP))
		return XDP_DROP;
	return XDP_PASS;
}
