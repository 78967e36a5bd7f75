// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Not on a packet's way: the kernel runs this at its tracepoint xdp:xdp_devmap_xmit,
 * once for each batch of redirected frames that it has given to a driver.  Those that
 * the driver did not take are counted.
 */
struct refusal {
	u32 from, to; /* interfaces */
	s32 error; /* below 0; 0 where the driver took some, or gave no reason */
};

BPF_HASH(refusals, struct refusal, u64);

TRACEPOINT_PROBE(xdp, xdp_devmap_xmit)
{
	struct refusal one = {
		.from = args->from_ifindex,
		.to = args->to_ifindex,
		.error = args->err,
	};

	if (args->drops > 0)
		refusals.increment(one, args->drops);
	return 0;
}
