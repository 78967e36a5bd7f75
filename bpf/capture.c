// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The packet meets the program CAPTURED and its fate is that program's verdict.
 * On the way in and on the way out a copy of it goes to user space.
 */
struct record {
	u64 time; /* since boot, in ns */
	u32 interface, length, verdict; /* NOT_YET on the way in */
	u32 unused;
};

#define NOT_YET 0xffffffff

#ifndef CAPTURED /* alone, it looks on and lets everything pass */
#define CAPTURED(ctx) XDP_PASS
#endif

BPF_PERF_OUTPUT(records); /* a ring for each CPU; what finds no room is lost */
BPF_PERCPU_ARRAY(met, u64, 1); /* packets, recorded or not */

int capture(struct xdp_md *ctx)
{
	struct record record = {
		.time = bpf_ktime_get_ns(),
		.interface = ctx->ingress_ifindex,
		.length = ctx->data_end - ctx->data,
		.verdict = NOT_YET,
	};
	records.perf_submit_skb(ctx, record.length, &record, sizeof(record));
	met.increment(0);

	record.verdict = CAPTURED(ctx);

	record.time = bpf_ktime_get_ns();
	record.length = ctx->data_end - ctx->data;
	records.perf_submit_skb(ctx, record.length, &record, sizeof(record));

	return record.verdict;
}
