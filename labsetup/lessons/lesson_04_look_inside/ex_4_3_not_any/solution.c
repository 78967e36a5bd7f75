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

	for (int i = 0; i < 64; i++, byte++) {
		barrier_var(byte); /* keeps the comparison below inside the loop */
		if ((void *)(byte + 3) > pkt.end)
			return XDP_PASS;
		if (*byte == 0)
			return byte[1] == 0 && byte[2] == 255 ? XDP_DROP : XDP_PASS;
	}
	return XDP_PASS;
}
