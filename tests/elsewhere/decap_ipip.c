/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As katran's real servers open what a balancer sent: bpf_xdp_adjust_head() the other way.
 * IP-in-IP loses its outer header and passes to the stack; all else passes as it is. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct decap_stats {
	__u64 total;
	__u64 decapped;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct decap_stats);
	__uint(max_entries, 1);
} decap_counters SEC(".maps");

SEC("xdp")
int xdpdecap(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data, *new_eth;
	struct iphdr *iph = data + sizeof(struct ethhdr);
	struct decap_stats *count;
	__u32 zero = 0;

	count = bpf_map_lookup_elem(&decap_counters, &zero);
	if (!count)
		return XDP_PASS;
	count->total++;

	if ((void *)(iph + 1) + sizeof(struct ethhdr) > data_end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_IP) || iph->ihl != 5 || iph->protocol != IPPROTO_IPIP)
		return XDP_PASS;

	new_eth = data + sizeof(struct iphdr);
	__builtin_memmove(new_eth, eth, sizeof(*eth));
	if (bpf_xdp_adjust_head(ctx, (int)sizeof(struct iphdr)))
		return XDP_DROP;

	count->decapped++;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
