/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet is looked through as far as what IP carries, and not changed.  What does
 * not fit or is not known stays NULL: programs leave such a packet to the stack.
 */
#ifndef XDP_LAB_PARSE_H
#define XDP_LAB_PARSE_H

#include "packet.h"
#include "parse_ip.h"

/*
 * Fills all of pkt.  What eth, ip and ip6 point to, if not NULL, has been compared with end;
 * what l4 points to has not.  There may be two tags, the provider's and the customer's
 * (IEEE 802.1ad); behind a third nothing is looked for.  Where l4 is NULL, length says nothing.
 */
static __always_inline void parse(struct xdp_md *ctx, struct packet *pkt)
{
	void *next = (void *)(long)ctx->data;
	*pkt = (struct packet){.end = (void *)(long)ctx->data_end};
	struct ethhdr *eth = next;
	next = eth + 1;
	if (next > pkt->end)
		return;
	pkt->eth = eth;

	__be16 type = eth->h_proto;
#pragma unroll
	for (int i = 0; i < 2; i++) {
		struct vlan_tag *tag = next;
		if (type != htons(ETH_P_8021Q) && type != htons(ETH_P_8021AD))
			break;
		next = tag + 1;
		if (next > pkt->end)
			return;
		type = tag->type;
		pkt->tags++;
	}

	if (type == htons(ETH_P_IP))
		parse_ip(pkt, next);
	else if (type == htons(ETH_P_IPV6))
		parse_ip6(pkt, next);
}

#endif
