/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet of which 16 bits change gets its Internet checksum mended, its other bytes unread. */
#ifndef XDP_LAB_CHECKSUM_H
#define XDP_LAB_CHECKSUM_H

#include "xdp.h"

/*
 * RFC 1624, equation 3: HC' = ~(~HC + ~m + m'), where the 16 bits m became m'.
 * Any byte order will do, the same for all three (RFC 1071, section 2 B).  What was wrong
 * before stays wrong by as much, so the receiver still notices.  0 may come out, which in
 * UDP means that there is no checksum (RFC 768).
 */
static __always_inline __sum16 mended(__sum16 check, u16 from, u16 to)
{
	u32 sum = (u16)~check + (u16)~from + to;

	sum = (sum & 0xffff) + (sum >> 16); /* ones' complement: a carry comes back in below */
	sum = (sum & 0xffff) + (sum >> 16); /* which may carry once more: 0x1ffff */
	return ~sum;
}

#endif
