// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Not on a packet's way: the kernel runs this at its tracepoint xdp:xdp_exception,
 * once for each packet whose program ended with XDP_ABORTED or went wrong.
 */
BPF_HASH(exceptions, u32, u64); /* by id of the XDP program */

TRACEPOINT_PROBE(xdp, xdp_exception)
{
	u32 program = args->prog_id;

	exceptions.increment(program);
	return 0;
}
