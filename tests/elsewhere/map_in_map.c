/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As the kernel's selftests: an array of maps with inner maps by .values, and a hash of maps.
 * ICMP counts in inner map 0, UDP in 1; TCP in the map that user space put under its port, if any. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/in.h>
#include <linux/tcp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct inner_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} inner_icmp SEC(".maps"), inner_udp SEC(".maps"), inner_web SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner_map);
} outer_arr SEC(".maps") = {
	.values = { &inner_icmp, &inner_udp },
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 8);
	__uint(key_size, sizeof(__u32));
	__array(values, struct inner_map);
} outer_hash SEC(".maps");

static __always_inline void bump(void *inner)
{
	__u32 zero = 0;
	__u64 *n;

	if (!inner)
		return;
	n = bpf_map_lookup_elem(inner, &zero);
	if (n)
		__sync_fetch_and_add(n, 1);
}

SEC("xdp")
int count_in_map(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *iph = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(iph + 1);
	__u32 key;

	if ((void *)(iph + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;

	switch (iph->protocol) {
	case IPPROTO_ICMP:
		key = 0;
		bump(bpf_map_lookup_elem(&outer_arr, &key));
		break;
	case IPPROTO_UDP:
		key = 1;
		bump(bpf_map_lookup_elem(&outer_arr, &key));
		break;
	case IPPROTO_TCP:
		if ((void *)(tcp + 1) > data_end)
			break;
		key = bpf_ntohs(tcp->dest);
		bump(bpf_map_lookup_elem(&outer_hash, &key));
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
