#include "xdp.h"

BPF_PERCPU_ARRAY(frame_bytes, u64, 1);

int load(struct xdp_md *ctx)
{
	int key = 0;
	u64 *bytes = frame_bytes.lookup(&key);
	if (bytes)
		*bytes += ctx->data_end - ctx->data;

	return XDP_PASS;
}
