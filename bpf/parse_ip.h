/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet is looked through from its IP header as far as what IP carries: over the
 * options of IPv4, or over the extension headers of IPv6.
 */
#ifndef XDP_LAB_PARSE_IP_H
#define XDP_LAB_PARSE_IP_H

#include "packet.h"

/*
 * next: where IPv4 begins.  Sets ip and all that follows from it; nothing, if it is another
 * version or its lengths do not fit.  The header's checksum is its receiver's to check.
 */
static __always_inline void parse_ip(struct packet *pkt, void *next)
{
	struct iphdr *ip = next;
	if ((void *)(ip + 1) > pkt->end)
		return;
	/* Lengths are compared: Linux 6.1 lets no byte-swapped number be added to a pointer. */
	u32 header = ip->ihl * 4, total = ntohs(ip->tot_len);
	if (ip->version != 4 || header < sizeof(*ip) || total < header || total > pkt->end - next)
		return;

	pkt->ip = ip;
	pkt->protocol = ip->protocol;
	pkt->options = header > sizeof(*ip);
	pkt->length = total - header;
	if (ip->frag_off & htons(0x3fff)) /* offset, and "more to come" */
		pkt->fragment = ip->frag_off & htons(0x1fff) ? LATER : FIRST;
	if (pkt->fragment != LATER)
		pkt->l4 = next + header;
}

/*
 * As parse_ip(), for IPv6.  Where an extension header does not fit, or a seventh comes, ip6 is
 * set and l4 stays NULL: protocol is then the kind of that header.
 */
static __always_inline void parse_ip6(struct packet *pkt, void *next)
{
	struct ipv6hdr *ip6 = next;
	next = ip6 + 1;
	if (next > pkt->end)
		return;
	u64 all = ntohs(ip6->payload_len), left = all;
	if (ip6->version != 6 || all > pkt->end - next)
		return;
	pkt->ip6 = ip6;
	pkt->protocol = ip6->nexthdr;

	for (int i = 0; i <= 6; i++) { /* six extensions; honest packets have one or two */
		/* Hidden from the compiler, which would drop the mask: it bounds the offset. */
		barrier_var(left);
		struct ipv6_extension *ext = next + ((all - left) & 0x3fff);
		u8 kind = pkt->protocol;
		if (!is_extension(kind)) {
			pkt->l4 = ext;
			pkt->length = left;
			return;
		}
		if ((void *)(ext + 1) > pkt->end)
			return;

		u64 size = extension_size(ext, kind);
		if (size > left)
			return;
		left -= size;
		pkt->protocol = ext->nexthdr;
		pkt->options = 1;
		if (kind == IPPROTO_FRAGMENT && ext->frag_off & htons(0xfff9))
			pkt->fragment = ext->frag_off & htons(0xfff8) ? LATER : FIRST;
		if (pkt->fragment == LATER)
			return;
	}
}

#endif
