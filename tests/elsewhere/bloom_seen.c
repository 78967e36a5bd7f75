/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As the selftests use a bloom filter (Linux 5.16): pushed to and peeked at, with no key.
 * The first packet of a source address is counted as new and passes; later ones are dropped. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__type(value, __u32);
	__uint(max_entries, 1000);
	__uint(map_extra, 5); /* hash functions */
} seen SEC(".maps");

__u64 new_sources;

SEC("xdp")
int once_per_source(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	__u32 saddr;

	if ((void *)(ip + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;

	saddr = ip->saddr;
	if (bpf_map_peek_elem(&seen, &saddr) == 0)
		return XDP_DROP;

	bpf_map_push_elem(&seen, &saddr, BPF_ANY);
	__sync_fetch_and_add(&new_sources, 1);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
