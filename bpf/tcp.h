/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The TCP header of a packet, and whether it begins a connection. */
#ifndef XDP_LAB_TCP_H
#define XDP_LAB_TCP_H

#include "packet.h"

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

#endif
