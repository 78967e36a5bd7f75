#include "xdp.h"

int template_name(struct xdp_md *ctx)
{
	/* your code; FILL IN: what the reader begins with */
	return XDP_PASS;
}
