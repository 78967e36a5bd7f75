/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Servers hand a packet on to each other, twice at most.  How often it has been handed
 * on is written in its source MAC address, 06:HOPS:..., so no packet can go in circles,
 * nothing is wrapped around it, and tcpdump shows it.
 */
#ifndef XDP_LAB_HOPS_H
#define XDP_LAB_HOPS_H

#include "balance.h"

#define HOPS_MAC 0x06 /* locally administered, so no device is born with it */
#define MOST_HOPS 2

/*
 * 0 if no server has handed the frame on.  A cloud may have made such a MAC address for a
 * router, with any number in it: no server of ours counts beyond MOST_HOPS.
 */
static __always_inline u8 hops_of(struct ethhdr *eth)
{
	u8 hops = eth->h_source[1];

	return eth->h_source[0] == HOPS_MAC && hops <= MOST_HOPS ? hops : 0;
}

/*
 * As hand_over(), with hops written into the source MAC address.  Where no other server is,
 * the packet stays here: XDP_PASS, and nothing changes.
 */
static __always_inline int hand_on(struct packet *pkt, struct config *config, struct server *server,
				   u8 hops)
{
	if (!is_there(server) || same_mac(server->mac, config->mac))
		return XDP_PASS;
	int verdict = hand_over(pkt, config, server);
	pkt->eth->h_source[0] = HOPS_MAC;
	pkt->eth->h_source[1] = hops;
	return verdict;
}

#endif
