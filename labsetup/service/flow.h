/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Of a frame is read which flow it belongs to; nothing is changed.  An ICMP error belongs to the
 * flow of the packet that it quotes: "packet too big" reaches the server that sent the packet.
 */
#ifndef BALANCER_FLOW_H
#define BALANCER_FLOW_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct vip { /* balancer.py packs the same 20 bytes */
	struct in6_addr address; /* IPv4 as ::ffff:a.b.c.d */
	__be16 port;
	__u16 protocol;
};

struct flow {
	struct in6_addr client;
	struct vip vip;
	__be16 port; /* the client's */
	__u16 zero;
};

/*
 * What is read of a packet.  It lies in a map and not on the stack, of which Linux 6.1 lets who
 * lacks CAP_PERFMON write no part of eight bytes that were written as a whole.
 */
struct packet {
	struct flow flow;
	__u8 flags; /* of TCP; else 0 */
	__u8 icmp_type;
	__be16 port[2];
	union {
		struct iphdr ip;
		struct ipv6hdr ip6;
	};
};

/* address: IPv4, which becomes ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). */
static __always_inline struct in6_addr mapped(__be32 address)
{
	return (struct in6_addr){.s6_addr32 = {0, 0, bpf_htonl(0xffff), address}};
}

/*
 * Writes addresses and protocol of the IP packet that begins at byte `at` of the frame.  Returns
 * where it ends; 0 for what has no ports: fragments, what is cut off.  Extension headers of IPv6
 * count as its protocol.  Bytes are copied: without CAP_PERFMON the verifier lets no number that
 * a packet brings, such as the length of IPv4's options, be added to a pointer into it.
 */
static __always_inline __u32 read_ip(struct xdp_md *ctx, __u32 at, bool six, struct packet *pkt)
{
	struct flow *flow = &pkt->flow;

	if (six) {
		struct ipv6hdr *ip6 = &pkt->ip6;
		if (bpf_xdp_load_bytes(ctx, at, ip6, sizeof(*ip6)) || ip6->version != 6)
			return 0;
		flow->client = ip6->saddr;
		flow->vip.address = ip6->daddr;
		flow->vip.protocol = ip6->nexthdr;
		return at + sizeof(*ip6);
	}
	struct iphdr *ip = &pkt->ip;
	if (bpf_xdp_load_bytes(ctx, at, ip, sizeof(*ip)) || ip->version != 4 || ip->ihl < 5)
		return 0;
	if (ip->frag_off & bpf_htons(0x3fff)) /* offset, and "more to come" */
		return 0;
	flow->client = mapped(ip->saddr);
	flow->vip.address = mapped(ip->daddr);
	flow->vip.protocol = ip->protocol;
	return at + ip->ihl * 4;
}

/*
 * Whether an ICMP error is at byte `at`, behind what read_ip() read.  Those are destination
 * unreachable 3, time exceeded 11, parameter problem 12 (RFC 792); and all below 128 (RFC 4443).
 */
static __always_inline bool is_error(struct xdp_md *ctx, __u32 at, bool six, struct packet *pkt)
{
	__u8 *type = &pkt->icmp_type;
	if (pkt->flow.vip.protocol != (six ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return 0;
	if (bpf_xdp_load_bytes(ctx, at, type, 1))
		return 0;
	return six ? *type < 128 : *type == 3 || *type == 11 || *type == 12;
}

/*
 * Fills flow and flags of pkt.  type: what Ethernet says follows.  Returns 0 where there is no
 * flow of TCP or UDP.
 */
static __always_inline bool read_packet(struct xdp_md *ctx, __be16 type, struct packet *pkt)
{
	struct flow *flow = &pkt->flow;
	__be16 *port = pkt->port;
	bool six = type == bpf_htons(ETH_P_IPV6);
	if (!six && type != bpf_htons(ETH_P_IP))
		return 0;

	__u32 at = read_ip(ctx, ETH_HLEN, six, pkt);
	bool error = at && is_error(ctx, at, six, pkt);
	if (error)
		at = read_ip(ctx, at + 8, six, pkt);
	if (flow->vip.protocol != IPPROTO_TCP && flow->vip.protocol != IPPROTO_UDP)
		return 0;
	if (!at || bpf_xdp_load_bytes(ctx, at, port, sizeof(pkt->port)))
		return 0;
	flow->port = port[0];
	flow->vip.port = port[1];
	if (error) { /* the quoted packet went from the server to the client */
		struct in6_addr server = flow->client;
		flow->client = flow->vip.address;
		flow->vip.address = server;
		flow->port = port[1];
		flow->vip.port = port[0];
	}
	if (error || flow->vip.protocol != IPPROTO_TCP ||
	    bpf_xdp_load_bytes(ctx, at + 13, &pkt->flags, 1))
		pkt->flags = 0;
	return 1;
}

#endif
