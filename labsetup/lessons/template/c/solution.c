#include "xdp.h"

int template_name(struct xdp_md *ctx)
{
	/* FILL IN: one right answer */
	return XDP_DROP;
}
