/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As the selftests pass a word from XDP to TC: bpf_xdp_adjust_meta() and a struct before the packet.
 * Each packet passes unchanged with a mark in front of it that counts up; bad_room counts refusals. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define __round_mask(x, y) ((__typeof__(x))((y)-1))
#define round_up(x, y) ((((x)-1) | __round_mask(x, y)) + 1)

struct meta_info {
	__u32 mark;
} __attribute__((aligned(4)));

__u32 marks, bad_room;

SEC("xdp_mark")
int _xdp_mark(struct xdp_md *ctx)
{
	struct meta_info *meta;
	void *data;

	if (bpf_xdp_adjust_meta(ctx, -(int)round_up(sizeof(*meta), 4)) < 0)
		return XDP_ABORTED;

	data = (void *)(unsigned long)ctx->data;
	meta = (void *)(unsigned long)ctx->data_meta;
	if ((void *)(meta + 1) > data)
		return XDP_ABORTED;
	meta->mark = ++marks;

	/* what lies before the packet grows by whole words alone */
	if (bpf_xdp_adjust_meta(ctx, -1) < 0)
		bad_room++;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
