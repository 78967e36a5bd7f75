/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tell: bpf_htons (line 15) stands in a header that is not included: #include <bpf/bpf_endian.h>. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int drop_arp(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(ETH_P_ARP)) // here
		return XDP_DROP;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
