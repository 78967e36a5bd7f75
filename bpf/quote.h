/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An ICMP error carries the beginning of the packet that it is about, from its IP header on. */
#ifndef XDP_LAB_QUOTE_H
#define XDP_LAB_QUOTE_H

#include "packet.h"
#include "same.h"

/*
 * Whether this is an ICMP error, of those that quote a packet (RFC 792; RFC 4443, 2.1).  Only
 * its type has been looked at.
 */
static __always_inline bool is_error(struct packet *pkt)
{
	u8 *type = pkt->l4;
	if (!type || (void *)(type + 1) > pkt->end || pkt->fragment != WHOLE)
		return 0;

	/* Unreachable or too big, time exceeded, header not understood. */
	if (pkt->ip)
		return pkt->protocol == IPPROTO_ICMP && (*type == 3 || *type == 11 || *type == 12);
	return pkt->protocol == IPPROTO_ICMPV6 && *type >= 1 && *type <= 4;
}

/*
 * error: what is_error() found to be one.  Fills quote as parse() would, without eth and tags.
 * A quote is the beginning of a packet, so its own account of its length says nothing here.
 * Returns 0, and quote is of no use, where it is cut off before l4, or was not sent by the
 * error's receiver, or has IPv6 extension headers.
 */
static __always_inline bool parse_quote(struct packet *error, struct packet *quote)
{
	void *start = error->l4 + sizeof(struct icmphdr);
	u32 there = error->length, header;
	*quote = (struct packet){.end = error->end};

	if (error->ip) {
		struct iphdr *ip = start;
		if ((void *)(ip + 1) > error->end || ip->version != 4)
			return 0;
		header = ip->ihl * 4;
		if (header < sizeof(*ip) || ip->saddr != error->ip->daddr)
			return 0;
		quote->ip = ip;
		quote->protocol = ip->protocol;
		quote->fragment = ip->frag_off & htons(0x3fff) ? FIRST : WHOLE; /* without ports */
	} else if (error->ip6) {
		struct ipv6hdr *ip6 = start;
		if ((void *)(ip6 + 1) > error->end || ip6->version != 6)
			return 0;
		header = sizeof(*ip6);
		if (is_extension(ip6->nexthdr) || !same_ip6(&ip6->saddr, &error->ip6->daddr))
			return 0;
		quote->ip6 = ip6;
		quote->protocol = ip6->nexthdr;
	} else {
		return 0;
	}
	quote->l4 = start + header;
	header += sizeof(struct icmphdr);
	quote->length = there - header;
	return there >= header;
}

#endif
