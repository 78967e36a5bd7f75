#include "parse.h"

struct dnshdr {
	__be16 id, flags, questions, answers, authorities, additionals;
};

int no_answers(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);

	if (!pkt.l4 || pkt.protocol != IPPROTO_UDP)
		return XDP_PASS;

	struct udphdr *udp = pkt.l4;
	struct dnshdr *dns = (void *)(udp + 1);
	if ((void *)(dns + 1) > pkt.end)
		return XDP_PASS;
	if (udp->source == htons(53) && dns->flags & htons(0x8000))
		return XDP_DROP;

	return XDP_PASS;
}
