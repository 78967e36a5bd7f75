/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether this host has the TCP connection that a packet belongs to, as its sockets say. */
#ifndef XDP_LAB_SOCKET_H
#define XDP_LAB_SOCKET_H

#include "hash.h"
#include "tcp.h"

/*
 * A weak claim is for the flow's owner alone, since the connection may be another server's: a
 * socket in TIME_WAIT is of one that is over, and its ports may be in use again; and under a flood
 * of SYNs there is no socket, but the client brings back the cookie that some server gave it.
 */
enum claim { NONE, WEAK, STRONG };

/*
 * Whether the packet brings back a cookie that listener, a socket in BPF_TCP_LISTEN, takes for
 * its own (bpf-helpers(7)).  One that has sent none of late takes none (net/core/filter.c).
 */
static __always_inline bool has_cookie(struct packet *pkt, struct bpf_sock *listener)
{
	const u32 size = sizeof(struct tcphdr);
	struct tcphdr *tcp = tcp_of(pkt);
	if (tcp && pkt->ip)
		return !bpf_tcp_check_syncookie(listener, pkt->ip, sizeof(*pkt->ip), tcp, size);
	if (tcp && pkt->ip6)
		return !bpf_tcp_check_syncookie(listener, pkt->ip6, sizeof(*pkt->ip6), tcp, size);
	return 0;
}

/*
 * flow: of TCP, the packet's own or of what it quotes.  Only the sockets of this network namespace
 * are asked.  The lookup, unlike bpf_sk_lookup_tcp(), finds those in TIME_WAIT as well; the
 * reference that it takes is given back here (bpf-helpers(7)).
 */
static __always_inline enum claim claim_to(struct xdp_md *ctx, struct packet *pkt,
					   struct five_tuple *flow)
{
	struct bpf_sock_tuple tuple = {};
	u32 size = pkt->ip ? sizeof(tuple.ipv4) : sizeof(tuple.ipv6);
	if (pkt->ip) {
		tuple.ipv4.saddr = flow->source[1] >> 32;
		tuple.ipv4.daddr = flow->destination[1] >> 32;
		tuple.ipv4.sport = flow->source_port;
		tuple.ipv4.dport = flow->destination_port;
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, flow->source, sizeof(flow->source));
		__builtin_memcpy(tuple.ipv6.daddr, flow->destination, sizeof(flow->destination));
		tuple.ipv6.sport = flow->source_port;
		tuple.ipv6.dport = flow->destination_port;
	}
	struct bpf_sock *sk = bpf_skc_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return NONE;
	enum claim claim = sk->state == BPF_TCP_TIME_WAIT ? WEAK : STRONG;
	if (sk->state == BPF_TCP_LISTEN)
		claim = has_cookie(pkt, sk) ? WEAK : NONE;
	bpf_sk_release(sk);
	return claim;
}

#endif
