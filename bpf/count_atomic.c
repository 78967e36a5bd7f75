// SPDX-License-Identifier: GPL-2.0-or-later
/* Every packet goes on to the stack and is counted, in one counter, one CPU at a time. */
#include "xdp.h"

BPF_ARRAY(packets, u64, 1);

SEC("xdp")
int count_atomic(struct xdp_md *ctx)
{
	int key = 0;
	u64 *count = packets.lookup(&key);
	if (count)
		__sync_fetch_and_add(count, 1);

	return XDP_PASS;
}
