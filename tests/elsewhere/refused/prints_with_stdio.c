/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tell: line 10 calls printf, and in the kernel there is none; bpf_printk("…") writes into the trace. */
#include <stdio.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int say_hello(struct xdp_md *ctx)
{
	printf("a packet\n"); // here
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
