/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As xdp-tutorial's early lessons: one object, a program a section, sections with names of old.
 * xdp_pass_func lets every packet through, xdp_drop_func none, xdp_abort_func calls it an error. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp_pass")
int xdp_pass_func(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp_drop")
int xdp_drop_func(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("xdp_abort")
int xdp_abort_func(struct xdp_md *ctx)
{
	return XDP_ABORTED;
}

char _license[] SEC("license") = "GPL";
