#include "xdp.h"

int closed(struct xdp_md *ctx)
{
	return XDP_PASS; /* your verdict */
}
