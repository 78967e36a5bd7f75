#include "xdp.h"

BPF_PERCPU_ARRAY(frame_bytes, u64, 1);

int load(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > data_end || eth->h_proto != htons(ETH_P_IP))
		return XDP_PASS;

	int key = 0;
	u64 *bytes = frame_bytes.lookup(&key);
	if (bytes)
		*bytes += data_end - data;
	return XDP_PASS;
}
