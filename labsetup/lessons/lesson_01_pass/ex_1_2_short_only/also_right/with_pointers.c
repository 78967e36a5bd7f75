#include "xdp.h"

int any_name(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	if (data + 101 <= data_end)
		return XDP_DROP;
	return XDP_PASS;
}
