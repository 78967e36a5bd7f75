/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet for the VIP leaves where it came in, on its way to a server that has the
 * VIP too and answers the client itself (direct server return).  Nothing above
 * Ethernet changes: client and server have one link, and no router, between them.
 */
#ifndef XDP_LAB_BALANCE_H
#define XDP_LAB_BALANCE_H

#include "flow.h"

struct config {
	struct hash_key key;
	struct in6_addr vip6;
	__be32 vip;
	u32 servers; /* how many, from place 0 on */
	u8 mac[ETH_ALEN]; /* the balancer's own */
};

struct server {
	u64 seed; /* from its name, see hashing.py */
	u8 mac[ETH_ALEN]; /* zeros: nobody is in this place */
};

struct table { /* BCC takes seconds over a large array of anything but bytes */
	u8 rows[2 * 65536] __attribute__((aligned(2))); /* u16: a place in servers, 0xffff: none */
};

/* Whether a packet is for the VIP.  If it is, eth and one of ip and ip6 are there. */
static __always_inline bool to_vip(struct packet *pkt, struct config *config)
{
	if (pkt->ip)
		return pkt->ip->daddr == config->vip;
	return pkt->ip6 && same_ip6(&pkt->ip6->daddr, &config->vip6);
}

/*
 * The same, and its frame is for this host: a switch floods what it does not know, so frames
 * for other hosts arrive here as well.
 */
static __always_inline bool for_vip(struct packet *pkt, struct config *config)
{
	return pkt->eth && same_mac(pkt->eth->h_dest, config->mac) && to_vip(pkt, config);
}

/* server: what lookup() gave, perhaps NULL. */
static __always_inline bool is_there(struct server *server)
{
	const u8 nobody[ETH_ALEN] = {};

	return server && !same_mac(server->mac, nobody);
}

/* By the lowest 16 bits of hash.  0xffff is a place where lookup() finds no server. */
static __always_inline u32 owner(struct table *table, u64 hash)
{
	const u16 *row = (void *)table->rows;

	return row[hash & 0xffff];
}

/*
 * Readdresses the frame to server, from this host's own MAC address, and returns XDP_TX.
 * Where no server is, nothing changes and the stack decides: XDP_PASS.
 */
static __always_inline int hand_over(struct packet *pkt, struct config *config,
				     struct server *server)
{
	if (!is_there(server))
		return XDP_PASS;
	__builtin_memcpy(pkt->eth->h_dest, server->mac, ETH_ALEN);
	__builtin_memcpy(pkt->eth->h_source, config->mac, ETH_ALEN);
	return XDP_TX;
}

#endif
