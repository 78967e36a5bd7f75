#include "parse.h"

int anew(struct xdp_md *ctx)
{
	int verdict = XDP_PASS;
	struct packet pkt;
	parse(ctx, &pkt);

	switch (pkt.protocol) {
	case IPPROTO_UDP:
		if (pkt.l4)
			verdict = XDP_DROP;
		break;
	case IPPROTO_TCP: {
		u8 *port = pkt.l4 + 2;
		if (pkt.l4 && (void *)(port + 2) <= pkt.end && port[0] == 0 && port[1] == 7)
			verdict = XDP_TX;
	}
	}
	return verdict;
}
