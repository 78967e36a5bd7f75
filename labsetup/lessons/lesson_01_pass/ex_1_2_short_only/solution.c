#include "xdp.h"

int short_only(struct xdp_md *ctx)
{
	u32 length = ctx->data_end - ctx->data;

	if (length > 100)
		return XDP_DROP;
	return XDP_PASS;
}
