/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As the libbpf examples send events: bpf_ringbuf_reserve() and bpf_ringbuf_submit().
 * Every first TCP packet (SYN alone) passes and leaves an event; where the ring is full it is lost. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/in.h>
#include <linux/tcp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

enum event_kind {
	EVENT_NONE,
	EVENT_SYN,
};

struct event {
	__u64 ts;
	__be32 saddr;
	__be32 daddr;
	__u16 dport;
	__u8 kind;
	__u8 ttl;
	char tag[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

/* without this the compiler leaves the type out of BTF */
const struct event *unused __attribute__((unused));

__u64 lost;

SEC("xdp")
int xdp_events(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct event *e;

	if ((void *)(tcp + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->protocol != IPPROTO_TCP || !tcp->syn || tcp->ack)
		return XDP_PASS;

	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		__sync_fetch_and_add(&lost, 1);
		return XDP_PASS;
	}
	e->ts = bpf_ktime_get_ns();
	e->saddr = ip->saddr;
	e->daddr = ip->daddr;
	e->dport = bpf_ntohs(tcp->dest);
	e->kind = EVENT_SYN;
	e->ttl = ip->ttl;
	__builtin_memcpy(e->tag, "syn", sizeof("syn"));
	__builtin_memset(e->tag + 4, 0, 4);
	bpf_ringbuf_submit(e, 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
