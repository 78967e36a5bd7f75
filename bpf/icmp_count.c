// SPDX-License-Identifier: GPL-2.0-or-later
/* Every packet goes on to the stack; each IPv4 packet that carries ICMP is counted. */
#include "xdp.h"

BPF_PERCPU_ARRAY(icmp_packets, u64, 1);

SEC("xdp")
int icmp_count(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;
	if (eth->h_proto != htons(ETH_P_IP))
		return XDP_PASS;

	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > data_end)
		return XDP_PASS;
	if (ip->protocol != IPPROTO_ICMP)
		return XDP_PASS;

	int key = 0;
	u64 *count = icmp_packets.lookup(&key);
	if (count)
		*count += 1;

	return XDP_PASS;
}
