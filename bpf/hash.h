/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet's five-tuple becomes 64 bits, which nobody can aim who has not the key. */
#ifndef XDP_LAB_HASH_H
#define XDP_LAB_HASH_H

#include "parse.h"

struct hash_key {
	u64 word[2];
};

struct five_tuple {
	u64 source[2], destination[2]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
	__be16 source_port, destination_port; /* 0 where there are none */
	u32 protocol;
};

static __always_inline void put_ip(u64 *word, __be32 address)
{
	word[0] = 0;
	word[1] = (u64)address << 32 | htonl(0xffff);
}

/*
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

#define ROTATED(x, bits) ((x) << (bits) | (x) >> (64 - (bits)))

#define ROUND                                                                  \
	do {                                                                   \
		a += b, b = ROTATED(b, 13) ^ a, a = ROTATED(a, 32);            \
		c += d, d = ROTATED(d, 16) ^ c;                                \
		a += d, d = ROTATED(d, 21) ^ a;                                \
		c += b, b = ROTATED(b, 17) ^ c, c = ROTATED(c, 32);            \
	} while (0)

/* SipHash-1-3 of 40 bytes: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012. */
static __always_inline u64 hash(const struct five_tuple *flow, const struct hash_key *key)
{
	u64 a = key->word[0] ^ 0x736f6d6570736575, b = key->word[1] ^ 0x646f72616e646f6d;
	u64 c = key->word[0] ^ 0x6c7967656e657261, d = key->word[1] ^ 0x7465646279746573;
	const u64 *word = (const void *)flow;

#pragma unroll
	for (int i = 0; i < 5; i++) {
		d ^= word[i];
		ROUND;
		a ^= word[i];
	}
	d ^= 40ULL << 56;
	ROUND;
	a ^= 40ULL << 56;
	c ^= 0xff;
	ROUND;
	ROUND;
	ROUND;
	return a ^ b ^ c ^ d;
}

#endif
