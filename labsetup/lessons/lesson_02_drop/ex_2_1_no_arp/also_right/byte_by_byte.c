#include "xdp.h"

int another_name(struct xdp_md *ctx)
{
	u8 *byte = (void *)(long)ctx->data;

	if ((void *)(byte + 14) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	return byte[12] == 0x08 && byte[13] == 0x06 ? XDP_DROP : XDP_PASS;
}
