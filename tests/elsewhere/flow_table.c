/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As flow monitors do: an LRU hash with a copy a CPU, keyed by a packed five-tuple.
 * Every TCP and UDP packet passes, and its flow has its packets, bytes and the latest flags. */
#include <stdint.h>
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/in.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct flow_key {
	uint32_t saddr;
	uint32_t daddr;
	uint16_t sport;
	uint16_t dport;
	uint8_t proto;
} __attribute__((packed));

struct flow_metrics {
	uint64_t packets;
	uint64_t bytes;
	uint8_t flags;
	bool established;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__type(key, struct flow_key);
	__type(value, struct flow_metrics);
	__uint(max_entries, 1 << 12);
} flows SEC(".maps");

SEC("xdp")
int flow_monitor(struct xdp_md *ctx)
{
	void *data_end = (void *)(uintptr_t)ctx->data_end;
	struct ethhdr *eth = (void *)(uintptr_t)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct udphdr *udp = (void *)(ip + 1);
	struct flow_metrics fresh = {}, *flow;
	struct flow_key key = {};
	uint8_t flags = 0;

	if ((void *)(ip + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5)
		return XDP_PASS;

	key.saddr = ip->saddr;
	key.daddr = ip->daddr;
	key.proto = ip->protocol;
	if (ip->protocol == IPPROTO_TCP) {
		if ((void *)(tcp + 1) > data_end)
			return XDP_PASS;
		key.sport = bpf_ntohs(tcp->source);
		key.dport = bpf_ntohs(tcp->dest);
		flags = ((uint8_t *)tcp)[13];
	} else if (ip->protocol == IPPROTO_UDP) {
		if ((void *)(udp + 1) > data_end)
			return XDP_PASS;
		key.sport = bpf_ntohs(udp->source);
		key.dport = bpf_ntohs(udp->dest);
	} else {
		return XDP_PASS;
	}

	flow = bpf_map_lookup_elem(&flows, &key);
	if (!flow) {
		bpf_map_update_elem(&flows, &key, &fresh, BPF_NOEXIST);
		flow = bpf_map_lookup_elem(&flows, &key);
		if (!flow)
			return XDP_PASS;
	}
	flow->packets++;
	flow->bytes += (uint8_t *)data_end - (uint8_t *)eth;
	flow->flags = flags;
	flow->established |= (flags & 0x12) == 0x12;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL v2";
