/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As the samples that dump packets: bpf_perf_event_output() appends the packet's first bytes.
 * Every packet passes; one that nobody listens for, on its CPU, is counted as not sent. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define SAMPLE 64

struct sample {
	__u16 magic;
	__u16 length;
} __attribute__((packed));

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} samples SEC(".maps");

static volatile __u32 not_sent;

SEC("xdp")
int xdp_sample(struct xdp_md *ctx)
{
	__u64 length = ctx->data_end - ctx->data;
	__u64 take = length < SAMPLE ? length : SAMPLE;
	struct sample head = { .magic = 0xbeef, .length = length };

	/* the upper half of the flags says how much of the packet follows */
	if (bpf_perf_event_output(ctx, &samples, take << 32 | BPF_F_CURRENT_CPU, &head, sizeof(head)))
		not_sent++;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
