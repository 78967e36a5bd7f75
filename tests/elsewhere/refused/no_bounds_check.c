/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tell: line 13 reads the packet before a comparison with data_end has shown that it is so long. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

SEC("xdp")
int drop_arp(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	if (eth->h_proto == bpf_htons(ETH_P_ARP)) // here
		return XDP_DROP;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
