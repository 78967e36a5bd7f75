#include "parse.h"

struct dnshdr {
	__be16 id, flags, questions, answers, authorities, additionals;
};

int no_answers(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);

	/* your code */
	return XDP_PASS;
}
