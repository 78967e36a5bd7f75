#include "parse.h"

int no_dns(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	struct udphdr *udp = pkt.l4;

	if (!pkt.ip || pkt.protocol != IPPROTO_UDP || !udp || (void *)(udp + 1) > pkt.end)
		return XDP_PASS;
	return udp->dest == htons(53) ? XDP_DROP : XDP_PASS;
}
