#include "headers.h"

BPF_DEVMAP(ports, 4096); /* by the number of a VLAN */

int by_vlan(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;

	/* your code */
	return XDP_PASS;
}
