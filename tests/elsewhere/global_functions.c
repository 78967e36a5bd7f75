/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As the selftests on global functions: not static, noinline, each verified by itself.
 * An IPv4 packet whose header checksum is wrong is dropped, one with options aborts, others pass. */
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif

struct words {
	__u16 word[10];
};

/* a pointer to memory that may be NULL, as the verifier takes any caller's */
__noinline int sum_of(const struct words *header)
{
	__u32 sum = 0;

	if (!header)
		return -1;
	for (int i = 0; i < 10; i++)
		sum += header->word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

__noinline int is_ipv4(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > data_end)
		return 0;
	return eth->h_proto == bpf_htons(ETH_P_IP);
}

SEC("xdp")
int global_functions(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct words header = {};

	if (!is_ipv4(ctx))
		return XDP_PASS;
	if ((void *)(eth + 1) + sizeof(header) > data_end)
		return XDP_DROP;
	if (((struct iphdr *)(eth + 1))->ihl != 5)
		return XDP_ABORTED;

	__builtin_memcpy(&header, eth + 1, sizeof(header));
	return sum_of(&header) == 0xffff ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
