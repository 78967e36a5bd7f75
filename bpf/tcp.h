/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The TCP header of a packet, and whether it begins a connection. */
#ifndef XDP_LAB_TCP_H
#define XDP_LAB_TCP_H

#include "packet.h"

struct tcphdr { /* as in linux/tcp.h, which brings linux/socket.h and all behind it */
	__be16 source, dest;
	__be32 seq, ack_seq;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	u8 res1 : 4, doff : 4;
	u8 fin : 1, syn : 1, rst : 1, psh : 1, ack : 1, urg : 1, ece : 1, cwr : 1;
#else
	u8 doff : 4, res1 : 4;
	u8 cwr : 1, ece : 1, urg : 1, ack : 1, psh : 1, rst : 1, syn : 1, fin : 1;
#endif
	__be16 window;
	__sum16 check;
	__be16 urg_ptr;
};

/*
 * NULL unless the 20 bytes are all there, in the frame and by IP's account; NULL in a fragment.
 * The options, as far as doff says, may still lie beyond pkt->end.
 */
static __always_inline struct tcphdr *tcp_of(struct packet *pkt)
{
	struct tcphdr *tcp = pkt->l4;
	if (!tcp || pkt->protocol != IPPROTO_TCP || pkt->fragment != WHOLE)
		return NULL;
	return (void *)(tcp + 1) > pkt->end || pkt->length < sizeof(*tcp) ? NULL : tcp;
}

/* Whether the packet is the first of a connection (RFC 9293, 3.5).  0 for what is not TCP. */
static __always_inline bool is_syn(struct packet *pkt)
{
	struct tcphdr *tcp = tcp_of(pkt);

	return tcp && tcp->syn && !tcp->ack;
}

#endif
