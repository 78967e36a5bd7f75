#include "parse.h"

int echo(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	struct udphdr *udp = pkt.l4;
	if (!pkt.ip || !udp || (void *)(udp + 1) > pkt.end || pkt.protocol != IPPROTO_UDP)
		return XDP_PASS;

	/* your code */
	return XDP_PASS;
}
