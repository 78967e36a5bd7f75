/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 40 bytes become 64 bits, which nobody can aim at a server who has not the key. */
#ifndef BALANCER_SIPHASH_H
#define BALANCER_SIPHASH_H

#include <linux/types.h>

struct key {
	__u64 word[2];
};

#define ROTATED(x, bits) ((x) << (bits) | (x) >> (64 - (bits)))

/* SipRound: the v0 to v3 of the paper are a to d of the function around it. */
#define ROUND                                                       \
	do {                                                        \
		a += b, b = ROTATED(b, 13) ^ a, a = ROTATED(a, 32); \
		c += d, d = ROTATED(d, 16) ^ c;                     \
		a += d, d = ROTATED(d, 21) ^ a;                     \
		c += b, b = ROTATED(b, 17) ^ c, c = ROTATED(c, 32); \
	} while (0)

/*
 * SipHash-1-3 of five words: a round for each and one for their length, three at the end.
 * Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.
 */
static __always_inline __u64 siphash(const __u64 *word, const struct key *key)
{
	__u64 a = key->word[0] ^ 0x736f6d6570736575, b = key->word[1] ^ 0x646f72616e646f6d;
	__u64 c = key->word[0] ^ 0x6c7967656e657261, d = key->word[1] ^ 0x7465646279746573;

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
