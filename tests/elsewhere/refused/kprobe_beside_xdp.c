/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tell: line 17 is a program for a kprobe, and an interface runs XDP alone; take it out of this file. */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>

__u64 packets, calls;

SEC("xdp")
int count_packets(struct xdp_md *ctx)
{
	__sync_fetch_and_add(&packets, 1);
	return XDP_PASS;
}

/* to compare with what the stack gets */
SEC("kprobe/ip_rcv") // here
int count_calls(struct pt_regs *ctx)
{
	__sync_fetch_and_add(&calls, 1);
	return 0;
}

char _license[] SEC("license") = "GPL";
