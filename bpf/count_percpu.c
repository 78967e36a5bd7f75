// SPDX-License-Identifier: GPL-2.0-or-later
/* Every packet goes on to the stack and is counted, by each CPU in a copy of its own. */
#include "xdp.h"

BPF_PERCPU_ARRAY(packets, u64, 1);

SEC("xdp")
int count_percpu(struct xdp_md *ctx)
{
	int key = 0;
	u64 *count = packets.lookup(&key);
	if (count)
		*count += 1;

	return XDP_PASS;
}
