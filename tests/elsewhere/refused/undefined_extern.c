/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tell: line 6 promises `limit` from elsewhere, and nothing defines it; give it a value, without extern. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int limit; // here

SEC("xdp")
int short_only(struct xdp_md *ctx)
{
	return ctx->data_end - ctx->data > limit ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
