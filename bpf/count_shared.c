// SPDX-License-Identifier: GPL-2.0-or-later
/* Every packet goes on to the stack, after 100 additions to one counter that all CPUs share. */
#include "xdp.h"

#define TIMES 100 /* a single addition takes less time than the measuring */

BPF_ARRAY(packets, u64, 1);

SEC("xdp")
int count_shared(struct xdp_md *ctx)
{
	int key = 0;
	volatile u64 *count = packets.lookup(&key);
	if (!count)
		return XDP_PASS;

#pragma unroll
	for (int i = 0; i < TIMES; i++)
		*count += 1; /* read, add, write: another CPU may come in between */

	return XDP_PASS;
}
