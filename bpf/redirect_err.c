// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Not on a packet's way: the kernel runs this at its tracepoint xdp:xdp_redirect_err,
 * once for each frame that it could not queue for the interface it was redirected to.
 */
struct refusal {
	u32 program; /* its id */
	u32 from, to; /* interfaces */
	s32 error; /* below 0 */
};

BPF_HASH(refusals, struct refusal, u64);

TRACEPOINT_PROBE(xdp, xdp_redirect_err)
{
	struct refusal one = {
		.program = args->prog_id,
		.from = args->ifindex,
		.to = args->to_ifindex,
		.error = args->err,
	};

	refusals.increment(one);
	return 0;
}
