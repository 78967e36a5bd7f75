/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As xdp-filter of xdp-tools: flags in the low bits of a per-CPU counter, macros that look it up.
 * A packet whose port is marked is dropped and counted there (bits above the flags); others pass. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/in.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define MAP_FLAG_SRC (1 << 0)
#define MAP_FLAG_DST (1 << 1)
#define MAP_FLAG_TCP (1 << 2)
#define MAP_FLAG_UDP (1 << 3)
#define MAP_FLAGS (MAP_FLAG_SRC | MAP_FLAG_DST | MAP_FLAG_TCP | MAP_FLAG_UDP)
#define COUNTER_SHIFT 6

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u64);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} filter_ports SEC(".maps");

#define CHECK_PORT(port, mask)                                                \
	do {                                                                  \
		__u32 __key = (port);                                         \
		__u64 *__value = bpf_map_lookup_elem(&filter_ports, &__key);  \
		if (__value && (*__value & (mask)) == (mask)) {               \
			*__value += 1 << COUNTER_SHIFT;                       \
			return XDP_DROP;                                      \
		}                                                             \
	} while (0)

static int __always_inline lookup_verdict(struct iphdr *iph, void *data_end)
{
	if (iph->ihl < 5)
		return XDP_PASS;

	if (iph->protocol == IPPROTO_UDP) {
		struct udphdr *udph = (void *)iph + iph->ihl * 4;

		if ((void *)(udph + 1) > data_end)
			return XDP_PASS;
		CHECK_PORT(bpf_ntohs(udph->dest), MAP_FLAG_DST | MAP_FLAG_UDP);
		CHECK_PORT(bpf_ntohs(udph->source), MAP_FLAG_SRC | MAP_FLAG_UDP);
	} else if (iph->protocol == IPPROTO_TCP) {
		struct tcphdr *tcph = (void *)iph + iph->ihl * 4;

		if ((void *)(tcph + 1) > data_end)
			return XDP_PASS;
		CHECK_PORT(bpf_ntohs(tcph->dest), MAP_FLAG_DST | MAP_FLAG_TCP);
		CHECK_PORT(bpf_ntohs(tcph->source), MAP_FLAG_SRC | MAP_FLAG_TCP);
	}
	return XDP_PASS;
}

SEC("xdp")
int xdpfilt_alw_tcp_udp(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;
	struct iphdr *iph = (void *)(eth + 1);

	if ((void *)(iph + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	return lookup_verdict(iph, data_end);
}

char _license[] SEC("license") = "GPL";
