#include "xdp.h"

BPF_PERCPU_ARRAY(protocols, u64, 256);

int by_protocol(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	/* your code */
	return XDP_PASS;
}
