// SPDX-License-Identifier: GPL-2.0-or-later
/* Every packet goes on to the stack and is counted, in one counter that all CPUs share. */
#include "xdp.h"

BPF_ARRAY(packets, u64, 1);

SEC("xdp")
int count_shared(struct xdp_md *ctx)
{
	int key = 0;
	u64 *count = packets.lookup(&key);
	if (count)
		*count += 1; /* read, add, write: another CPU may come in between */

	return XDP_PASS;
}
