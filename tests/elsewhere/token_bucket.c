/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As rate limiters do: a bucket for each source, refilled by bpf_ktime_get_ns(), with a spin lock.
 * A source may send a burst of packets at once and RATE a second after that; others are dropped. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define NSEC_PER_SEC 1000000000ULL

const volatile __u64 rate = 1; /* packets a second */
const volatile __u64 burst = 4;

struct bucket {
	struct bpf_spin_lock lock;
	__u32 dropped;
	__u64 tokens; /* in billionths of a packet */
	__u64 last;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __be32);
	__type(value, struct bucket);
	__uint(max_entries, 1024);
} buckets SEC(".maps");

SEC("xdp")
int rate_limit(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	__u64 now = bpf_ktime_get_ns(), full = burst * NSEC_PER_SEC;
	struct bucket fresh = { .tokens = full, .last = now }, *b;
	int verdict = XDP_PASS;
	__be32 source;

	if ((void *)(ip + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;

	source = ip->saddr;
	b = bpf_map_lookup_elem(&buckets, &source);
	if (!b) {
		bpf_map_update_elem(&buckets, &source, &fresh, BPF_NOEXIST);
		b = bpf_map_lookup_elem(&buckets, &source);
		if (!b)
			return XDP_DROP;
	}

	bpf_spin_lock(&b->lock);
	b->tokens += (now - b->last) * rate;
	b->last = now;
	if (b->tokens > full)
		b->tokens = full;
	if (b->tokens >= NSEC_PER_SEC) {
		b->tokens -= NSEC_PER_SEC;
	} else {
		b->dropped++;
		verdict = XDP_DROP;
	}
	bpf_spin_unlock(&b->lock);
	return verdict;
}

char _license[] SEC("license") = "GPL";
