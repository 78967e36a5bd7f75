// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A ping to one host, over IPv4 or IPv6, becomes its own answer and leaves where
 * it came in, its VLAN tags kept, whosever address it was for.  Every other packet
 * goes on to the stack.
 */
#include "checksum.h"
#include "parse.h"
#include "unicast.h"

#define TTL 64 /* a reply starts its own journey: what the request has left may not reach home */

/*
 * An echo request from one host to one host becomes its reply (RFC 792), all but the MAC
 * addresses.  Anything else stays as it is, and 0 is returned.
 */
static __always_inline bool answer_ip(struct iphdr *ip, struct icmphdr *icmp)
{
	if (icmp->type != 8 || icmp->code != 0) /* echo request */
		return 0;
	if (!unicast_ip(&ip->saddr) || !unicast_ip(&ip->daddr))
		return 0;

	__be32 address = ip->saddr; /* a sum does not mind the order: no checksum changes */
	ip->saddr = ip->daddr;
	ip->daddr = address;
	ip->check = mended(ip->check, htons(ip->ttl << 8), htons(TTL << 8));
	ip->ttl = TTL;
	/* Where all else is 0, a checksum of 0 is wrong; 0xffff means the same and is right. */
	icmp->checksum = mended(icmp->checksum, htons(8 << 8), htons(0)) ?: 0xffff;
	icmp->type = 0; /* echo reply */
	return 1;
}

/* The same with the types of ICMPv6 (RFC 4443, 4), whose checksum covers addresses as well. */
static __always_inline bool answer_ip6(struct ipv6hdr *ip6, struct icmphdr *icmp)
{
	if (icmp->type != 128 || icmp->code != 0)
		return 0;
	if (!unicast_ip6(&ip6->saddr) || !unicast_ip6(&ip6->daddr))
		return 0;

	struct in6_addr address = ip6->saddr;
	ip6->saddr = ip6->daddr;
	ip6->daddr = address;
	ip6->hop_limit = TTL; /* IPv6 has no header checksum */
	icmp->checksum = mended(icmp->checksum, htons(128 << 8), htons(129 << 8));
	icmp->type = 129;
	return 1;
}

SEC("xdp")
int echo_reply(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);

	/* Options may hold a source route, which a reply must not copy; fragments are not whole. */
	if (!pkt.l4 || pkt.options || pkt.fragment != WHOLE)
		return XDP_PASS;
	struct icmphdr *icmp = pkt.l4;
	if ((void *)(icmp + 1) > pkt.end || pkt.length < sizeof(*icmp))
		return XDP_PASS;

	struct ethhdr *eth = pkt.eth;
	if (!unicast_mac(eth->h_source) || !unicast_mac(eth->h_dest))
		return XDP_PASS;
	if (!(pkt.ip && pkt.protocol == IPPROTO_ICMP && answer_ip(pkt.ip, icmp)) &&
	    !(pkt.ip6 && pkt.protocol == IPPROTO_ICMPV6 && answer_ip6(pkt.ip6, icmp)))
		return XDP_PASS;

	u8 mac[ETH_ALEN];
	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
	return XDP_TX;
}
