#include "parse.h"

int echo(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	struct udphdr *udp = pkt.l4;
	if (!pkt.ip || !udp || (void *)(udp + 1) > pkt.end || pkt.protocol != IPPROTO_UDP)
		return XDP_PASS;

	if (udp->dest != htons(7) || udp->source == htons(7))
		return XDP_PASS;

	struct ethhdr *eth = pkt.eth;
	u8 mac[ETH_ALEN];
	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);

	__be32 address = pkt.ip->saddr;
	pkt.ip->saddr = pkt.ip->daddr;
	pkt.ip->daddr = address;

	__be16 port = udp->source;
	udp->source = udp->dest;
	udp->dest = port;
	return XDP_TX;
}
