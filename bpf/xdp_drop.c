// SPDX-License-Identifier: GPL-2.0-or-later
/* Every packet ends here. The stack never learns that it arrived. */
#include "xdp.h"

SEC("xdp")
int xdp_drop(struct xdp_md *ctx)
{
	return XDP_DROP;
}
