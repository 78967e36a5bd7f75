// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A flow to port 80 of the VIP goes to the owner of its row, but at that server's own
 * address; what comes from a server's port 80 gets the VIP as its source again (NAT), and
 * nothing is remembered.  ICMP errors, fragments and IPv6 go on to the stack.
 */
#include "balance.h"
#include "checksum.h"
#include "tcp.h"

#define PORT htons(80)

BPF_ARRAY(settings, struct config, 1);
BPF_ARRAY(servers, struct server, 1024);
BPF_ARRAY(tables, struct table, 2);
BPF_ARRAY(active, u32, 1);
BPF_ARRAY(addresses, __be32, 1024); /* of the server in each place, its own */
BPF_HASH(answering, __be32, u32, 1024); /* the same addresses, and their places */
BPF_ARRAY(way_back, struct server, 1); /* the client; where there is a router to it, that */

/* Where the checksum of TCP or UDP lies; NULL unless the header is there as a whole. */
static __always_inline __sum16 *checksum_of(struct packet *pkt)
{
	struct tcphdr *tcp = tcp_of(pkt);
	struct udphdr *udp = pkt->l4;
	if (tcp)
		return &tcp->check;
	if (!udp || pkt->protocol != IPPROTO_UDP || pkt->fragment != WHOLE)
		return NULL;
	return (void *)(udp + 1) > pkt->end || pkt->length < sizeof(*udp) ? NULL : &udp->check;
}

/* Writes to over one of IPv4's addresses.  Both headers' checksums cover it (RFC 9293, 3.1). */
static __always_inline void readdress(struct packet *pkt, __be32 *address, __be32 to)
{
	__sum16 *check = checksum_of(pkt);
	bool udp = pkt->protocol == IPPROTO_UDP;

#pragma unroll
	for (int i = 0; i < 2; i++) {
		u16 from = *address >> 16 * i, half = to >> 16 * i;
		pkt->ip->check = mended(pkt->ip->check, from, half);
		if (check && !(udp && !*check)) /* 0: without one (RFC 768) */
			*check = mended(*check, from, half) ?: udp ? 0xffff : 0;
	}
	*address = to;
}

SEC("xdp")
int lb_nat(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	int first = 0;
	struct config *config = settings.lookup(&first);
	struct server *client = way_back.lookup(&first);
	u32 *which = active.lookup(&first);
	struct table *table = which ? tables.lookup(which) : NULL;
	struct five_tuple flow;
	if (!config || !table || !pkt.ip || !same_mac(pkt.eth->h_dest, config->mac))
		return XDP_PASS;
	if (!checksum_of(&pkt) || !five_tuple(&pkt, &flow))
		return XDP_PASS;

	__be32 from = pkt.ip->saddr;
	if (pkt.ip->daddr == config->vip && flow.destination_port == PORT) {
		u32 place = owner(table, hash(&flow, &config->key));
		__be32 *own = addresses.lookup(&place);
		struct server *server = servers.lookup(&place);
		if (!own || !is_there(server))
			return XDP_PASS;
		readdress(&pkt, &pkt.ip->daddr, *own);
		return hand_over(&pkt, config, server);
	}
	if (flow.source_port != PORT || !answering.lookup(&from) || !is_there(client))
		return XDP_PASS;
	readdress(&pkt, &pkt.ip->saddr, config->vip);
	return hand_over(&pkt, config, client);
}
