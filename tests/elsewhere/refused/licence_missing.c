/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tell: bpf_printk (line 9) is for programs under the GPL; add char _license[] SEC("license") = "GPL"; */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int say_hello(struct xdp_md *ctx)
{
	bpf_printk("hello"); // here
	return XDP_PASS;
}
