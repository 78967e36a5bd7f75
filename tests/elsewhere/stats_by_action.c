/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As xdp-tutorial counts: a datarec for each verdict and CPU.
 * IPv6 is dropped and all else passed; each packet adds itself and its bytes to its verdict. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct datarec {
	__u64 rx_packets;
	__u64 rx_bytes;
};

#ifndef XDP_ACTION_MAX
#define XDP_ACTION_MAX (XDP_REDIRECT + 1)
#endif

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct datarec);
	__uint(max_entries, XDP_ACTION_MAX);
} xdp_stats_map SEC(".maps");

static __always_inline int stats(struct xdp_md *ctx, enum xdp_action action)
{
	__u32 key = action;
	struct datarec *rec = bpf_map_lookup_elem(&xdp_stats_map, &key);

	if (rec) {
		rec->rx_packets += 1;
		rec->rx_bytes += ctx->data_end - ctx->data;
	}
	return action;
}

SEC("xdp")
int xdp_stats_prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > data_end)
		return stats(ctx, XDP_ABORTED);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return stats(ctx, XDP_DROP);
	return stats(ctx, XDP_PASS);
}

char _license[] SEC("license") = "GPL";
