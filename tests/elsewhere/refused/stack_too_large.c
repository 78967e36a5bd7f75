/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tell: `copy` of line 10 is larger than a program's stack of 512 bytes; keep it in a per-CPU array. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int keep_a_copy(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end, *data = (void *)(long)ctx->data;
	__u8 copy[600] = {}; // here

	if (data + sizeof(copy) > data_end)
		return XDP_PASS;
	for (int i = 0; i < sizeof(copy); i++)
		copy[i] = ((__u8 *)data)[i];
	return bpf_get_prandom_u32() % 600 < copy[bpf_get_prandom_u32() % 600] ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
