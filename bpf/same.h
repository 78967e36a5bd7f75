/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether two addresses are one.  clang 14 has no memcmp() for BPF. */
#ifndef XDP_LAB_SAME_H
#define XDP_LAB_SAME_H

#include "headers.h"

/* a, b: 6 bytes each.  A branch in the loop would be one more path for the verifier. */
static __always_inline bool same_mac(const u8 *a, const u8 *b)
{
	u8 differ = 0;

#pragma unroll
	for (int i = 0; i < ETH_ALEN; i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

/* As same_mac(), four bytes at a time. */
static __always_inline bool same_ip6(const struct in6_addr *a, const struct in6_addr *b)
{
	u32 differ = 0;

#pragma unroll
	for (int i = 0; i < 4; i++)
		differ |= a->s6_addr32[i] ^ b->s6_addr32[i];
	return !differ;
}

#endif
