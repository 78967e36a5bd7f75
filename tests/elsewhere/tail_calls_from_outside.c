/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As the kernel's samples have it: an array of programs that user space fills.
 * Each packet jumps to the program of its IP protocol, which drops it; where none is set it passes. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, 256);
} jumps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u64));
	__uint(max_entries, 256);
} seen SEC(".maps");

SEC("xdp")
int tail_calls_from_outside(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *iph = (void *)(eth + 1);

	if ((void *)(iph + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;

	bpf_tail_call(ctx, &jumps, iph->protocol);
	return XDP_PASS;
}

static __always_inline int count_and_drop(__u32 proto)
{
	__u64 *n = bpf_map_lookup_elem(&seen, &proto);

	if (n)
		__sync_fetch_and_add(n, 1);
	return XDP_DROP;
}

SEC("xdp")
int drop_udp(struct xdp_md *ctx)
{
	return count_and_drop(IPPROTO_UDP);
}

SEC("xdp")
int drop_icmp(struct xdp_md *ctx)
{
	return count_and_drop(IPPROTO_ICMP);
}

char _license[] SEC("license") = "GPL";
