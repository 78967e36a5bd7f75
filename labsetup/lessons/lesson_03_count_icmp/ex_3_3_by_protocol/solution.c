#include "xdp.h"

BPF_PERCPU_ARRAY(protocols, u64, 256);

int by_protocol(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;
	if (eth->h_proto != htons(ETH_P_IP))
		return XDP_PASS;

	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > data_end)
		return XDP_PASS;

	int key = ip->protocol;
	u64 *count = protocols.lookup(&key);
	if (count)
		*count += 1;

	return XDP_PASS;
}
