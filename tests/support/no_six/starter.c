#include "xdp.h"

int no_six(struct xdp_md *ctx)
{
	return XDP_PASS; /* your code */
}
