#include "parse.h"

struct dnshdr {
	__be16 id, flags, questions, answers, authorities, additionals;
};

int not_any(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	if (!pkt.l4 || pkt.protocol != IPPROTO_UDP)
		return XDP_PASS;

	struct udphdr *udp = pkt.l4;
	struct dnshdr *dns = (void *)(udp + 1);
	u8 *byte = (void *)(dns + 1);
	if ((void *)byte > pkt.end || udp->dest != htons(53))
		return XDP_PASS;
	if (dns->flags & htons(0x8000))
		return XDP_PASS;

	/* your code */
	return XDP_PASS;
}
