// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A packet to a destination that next_hops knows goes out at another interface,
 * with that link's MAC addresses and one hop less to live.  Every other packet
 * goes on to the stack: what is for this host, and what takes more than XDP does.
 */
#include "checksum.h"
#include "parse.h"
#include "unicast.h"

struct address {
	u8 byte[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
};

struct next_hop {
	u32 port; /* place in ports */
	u8 destination[ETH_ALEN], source[ETH_ALEN];
};

BPF_HASH(next_hops, struct address, struct next_hop);
BPF_DEVMAP(ports, 64);

SEC("xdp")
int redirect(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	struct iphdr *ip = pkt.ip;
	struct ipv6hdr *ip6 = pkt.ip6;

	/* next_hops says nothing of VLANs; what was sent to many on one link stays there. */
	if (!pkt.eth || pkt.tags || !unicast_mac(pkt.eth->h_dest))
		return XDP_PASS;

	/* Fragments are forwarded: only their receiver needs to put them together. */
	struct address to = {};
	if (ip) {
		/* The stack reads options, and answers "time exceeded". */
		if (pkt.options || ip->ttl <= 1)
			return XDP_PASS;
		if (!routable_ip(&ip->saddr) || !routable_ip(&ip->daddr))
			return XDP_PASS;
		to.byte[10] = to.byte[11] = 0xff;
		__builtin_memcpy(to.byte + 12, &ip->daddr, sizeof(ip->daddr));
	} else if (ip6) {
		if (ip6->nexthdr == IPPROTO_HOPOPTS || ip6->hop_limit <= 1)
			return XDP_PASS;
		if (!routable_ip6(&ip6->saddr) || !routable_ip6(&ip6->daddr))
			return XDP_PASS;
		__builtin_memcpy(to.byte, &ip6->daddr, sizeof(ip6->daddr));
	} else {
		return XDP_PASS;
	}

	struct next_hop *hop = next_hops.lookup(&to);
	/* Ask for the port first: where none is, the packet must not have been changed. */
	if (!hop || ports.redirect_map(hop->port, XDP_PASS) != XDP_REDIRECT)
		return XDP_PASS;

	if (ip) {
		ip->check = mended(ip->check, htons(ip->ttl << 8), htons((ip->ttl - 1) << 8));
		ip->ttl--;
	} else if (ip6) {
		ip6->hop_limit--;
	}
	__builtin_memcpy(pkt.eth->h_dest, hop->destination, ETH_ALEN);
	__builtin_memcpy(pkt.eth->h_source, hop->source, ETH_ALEN);
	return XDP_REDIRECT;
}
