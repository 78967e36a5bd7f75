// SPDX-License-Identifier: GPL-2.0-or-later
/* Every packet goes on to the stack, after 100 additions to one counter, one CPU at a time. */
#include "xdp.h"

#define TIMES 100 /* a single addition takes less time than the measuring */

BPF_ARRAY(packets, u64, 1);

SEC("xdp")
int count_atomic(struct xdp_md *ctx)
{
	int key = 0;
	volatile u64 *count = packets.lookup(&key);
	if (!count)
		return XDP_PASS;

#pragma unroll
	for (int i = 0; i < TIMES; i++)
		__sync_fetch_and_add(count, 1);

	return XDP_PASS;
}
