// SPDX-License-Identifier: GPL-2.0-or-later
/* Every packet ends here, as with XDP_DROP, and each leaves a trace: xdp:xdp_exception. */
#include "xdp.h"

SEC("xdp")
int xdp_aborted(struct xdp_md *ctx)
{
	return XDP_ABORTED;
}
