#include "xdp.h"

BPF_PERCPU_ARRAY(frame_bytes, u64, 1);

int load(struct xdp_md *ctx)
{
	/* your code */
	return XDP_PASS;
}
