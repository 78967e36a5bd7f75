/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tell: line 22 writes where bpf_ringbuf_reserve() may have given NULL, as it does when the ring is full. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct event {
	__u32 length;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

SEC("xdp")
int tell_all(struct xdp_md *ctx)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	/* the length alone */

	e->length = ctx->data_end - ctx->data; // here
	bpf_ringbuf_submit(e, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
