/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tell: no function has a section, so there is no program; write SEC("xdp") above line 6. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int pass_all(struct xdp_md *ctx) // here
{
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
