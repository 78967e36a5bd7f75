/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The IPv6 header, and the extension headers between it and what IPv6 carries. */
#ifndef XDP_LAB_IPV6_H
#define XDP_LAB_IPV6_H

#include "xdp.h"

#ifdef BCC_SEC
#include <uapi/linux/ipv6.h>
#else /* as in linux/ipv6.h and linux/in6.h */
struct in6_addr {
	union {
		u8 s6_addr[16];
		__be32 s6_addr32[4];
	};
};

struct ipv6hdr {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	u8 priority : 4, version : 4;
#else
	u8 version : 4, priority : 4;
#endif
	u8 flow_lbl[3];
	__be16 payload_len;
	u8 nexthdr, hop_limit;
	struct in6_addr saddr, daddr;
};

#define IPPROTO_HOPOPTS 0
#define IPPROTO_ROUTING 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_ICMPV6 58
#define IPPROTO_DSTOPTS 60
#endif

#define IPPROTO_AH 51 /* of linux/in.h, see headers.h */

/*
 * The 8 bytes that each extension header has at least.  The kernel has a struct for each kind;
 * the names are those of ipv6_opt_hdr and, from frag_off on, of frag_hdr.
 */
struct ipv6_extension {
	u8 nexthdr, hdrlen; /* hdrlen: reserved in a fragment header */
	__be16 frag_off;
	__be32 identification;
};

/* kind: what nexthdr says.  ESP is none of them: what follows it is encrypted (RFC 4303). */
static __always_inline bool is_extension(u8 kind)
{
	return kind == IPPROTO_HOPOPTS || kind == IPPROTO_ROUTING || kind == IPPROTO_FRAGMENT ||
	       kind == IPPROTO_AH || kind == IPPROTO_DSTOPTS;
}

/* In bytes, from ext on, whose 8 must be there (RFC 8200, 4.3 to 4.6; of AH, RFC 4302, 2.2). */
static __always_inline u32 extension_size(struct ipv6_extension *ext, u8 kind)
{
	u32 unit = kind == IPPROTO_FRAGMENT ? 0 : kind == IPPROTO_AH ? 4 : 8;

	return sizeof(*ext) + ext->hdrlen * unit;
}

#endif
