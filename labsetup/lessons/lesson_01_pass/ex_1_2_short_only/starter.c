#include "xdp.h"

int short_only(struct xdp_md *ctx)
{
	/* your code */
	return XDP_PASS;
}
