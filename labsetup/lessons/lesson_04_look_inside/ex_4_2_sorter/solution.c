#include "parse.h"

struct tcphdr {
	__be16 source, dest;
};

enum { ENDS = 1, GOES_ON, GOES_BACK };

int sorter(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	struct tcphdr *tcp = pkt.l4;
	if (!tcp || (void *)(tcp + 1) > pkt.end)
		return GOES_ON;

	if (pkt.protocol == IPPROTO_UDP)
		return ENDS;
	if (pkt.protocol == IPPROTO_TCP && tcp->dest == htons(7))
		return GOES_BACK;
	return GOES_ON;
}
