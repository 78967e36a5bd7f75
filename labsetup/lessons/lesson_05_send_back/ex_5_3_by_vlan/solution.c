#include "headers.h"

BPF_DEVMAP(ports, 4096); /* by the number of a VLAN */

int by_vlan(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;

	if (eth->h_proto != htons(ETH_P_8021Q))
		return XDP_PASS;

	struct vlan_tag *tag = (void *)(eth + 1);
	if ((void *)(tag + 1) > data_end)
		return XDP_PASS;
	return ports.redirect_map(ntohs(tag->number) & 0xfff, XDP_PASS);
}
