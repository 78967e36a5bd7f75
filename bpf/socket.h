/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether this host has the TCP connection that a packet belongs to. */
#ifndef XDP_LAB_SOCKET_H
#define XDP_LAB_SOCKET_H

#include "hash.h"

struct tcphdr {
	__be16 source, dest;
	__be32 seq, ack_seq;
	u8 offset, flags;
	__be16 window;
	__sum16 check;
	__be16 urgent;
};

#define TCP_SYN 0x02
#define TCP_ACK 0x10

static __always_inline struct tcphdr *tcp_of(struct packet *pkt)
{
	struct tcphdr *tcp = pkt->l4;
	if (!tcp || pkt->protocol != IPPROTO_TCP || pkt->fragment != WHOLE)
		return NULL;
	return (void *)(tcp + 1) > pkt->end || pkt->length < sizeof(*tcp) ? NULL : tcp;
}

/* The first packet of a connection. */
static __always_inline bool is_syn(struct packet *pkt)
{
	struct tcphdr *tcp = tcp_of(pkt);

	return tcp && (tcp->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/*
 * Under a flood of SYNs a server remembers nothing of a connection until the client sends
 * back the cookie that it got: such a packet has no socket yet, but only one that listens.
 */
static __always_inline bool has_cookie(struct packet *pkt, struct bpf_sock *listener)
{
	struct tcphdr *tcp = tcp_of(pkt);
	if (!tcp || pkt->options)
		return 0;
	if (pkt->ip)
		return !bpf_tcp_check_syncookie(listener, pkt->ip, sizeof(*pkt->ip), tcp,
						sizeof(*tcp));
	return pkt->ip6 && !bpf_tcp_check_syncookie(listener, pkt->ip6, sizeof(*pkt->ip6), tcp,
						    sizeof(*tcp));
}

static __always_inline bool is_mine(struct xdp_md *ctx, struct packet *pkt,
				    struct five_tuple *flow)
{
	struct bpf_sock_tuple tuple = {};
	u32 size = sizeof(tuple.ipv6);
	if (pkt->ip) {
		tuple.ipv4.saddr = flow->source[1] >> 32;
		tuple.ipv4.daddr = flow->destination[1] >> 32;
		tuple.ipv4.sport = flow->source_port;
		tuple.ipv4.dport = flow->destination_port;
		size = sizeof(tuple.ipv4);
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, flow->source, sizeof(flow->source));
		__builtin_memcpy(tuple.ipv6.daddr, flow->destination, sizeof(flow->destination));
		tuple.ipv6.sport = flow->source_port;
		tuple.ipv6.dport = flow->destination_port;
	}
	struct bpf_sock *sk = bpf_skc_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	bool mine = sk->state != BPF_TCP_LISTEN || has_cookie(pkt, sk);
	bpf_sk_release(sk);
	return mine;
}

#endif
