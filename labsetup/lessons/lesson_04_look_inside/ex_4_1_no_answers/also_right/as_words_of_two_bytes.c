#include "parse.h"

int any_name(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	__be16 *word = pkt.l4;

	if (!word || (void *)(word + 6) > pkt.end || pkt.protocol != IPPROTO_UDP)
		return XDP_PASS;
	return word[0] == htons(53) && word[5] & htons(0x8000) ? XDP_DROP : XDP_PASS;
}
