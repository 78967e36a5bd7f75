/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tell: line 6 has SEC("xpd"), which is no kind of program; for XDP it is SEC("xdp"). */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xpd") // here
int pass_all(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
