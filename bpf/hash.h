/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet's five-tuple becomes 64 bits, which nobody can aim who has not the key. */
#ifndef XDP_LAB_HASH_H
#define XDP_LAB_HASH_H

#include "parse.h"
#include "siphash.h"

struct five_tuple {
	u64 source[2], destination[2]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
	__be16 source_port, destination_port; /* 0 where there are none */
	u32 protocol;
};

/* word: the two of an address, which becomes ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). */
static __always_inline void put_ip(u64 *word, __be32 address)
{
	word[0] = 0;
	word[1] = (u64)address << 32 | htonl(0xffff);
}

/*
 * Writes all 40 bytes of flow, so that it may be a map's key; returns 0 if there is no IP.
 * All packets of a connection must hash alike.  A fragmented packet has its ports in the
 * first fragment only, so fragments go without.
 */
static __always_inline bool five_tuple(struct packet *pkt, struct five_tuple *flow)
{
	*flow = (struct five_tuple){.protocol = pkt->protocol};
	if (pkt->ip) {
		put_ip(flow->source, pkt->ip->saddr);
		put_ip(flow->destination, pkt->ip->daddr);
	} else if (pkt->ip6) {
		__builtin_memcpy(flow->source, &pkt->ip6->saddr, sizeof(flow->source));
		__builtin_memcpy(flow->destination, &pkt->ip6->daddr, sizeof(flow->destination));
	} else {
		return 0;
	}

	__be16 *port = pkt->l4;
	if (!port || pkt->fragment != WHOLE || (void *)(port + 2) > pkt->end || pkt->length < 4)
		return 1;
	if (pkt->protocol == IPPROTO_TCP || pkt->protocol == IPPROTO_UDP) {
		flow->source_port = port[0];
		flow->destination_port = port[1];
	}
	return 1;
}

/* Of all 40 bytes, between which no padding lies.  User space has the same: hashing.py. */
static __always_inline u64 hash(const struct five_tuple *flow, const struct hash_key *key)
{
	return siphash((const void *)flow, key);
}

#endif
