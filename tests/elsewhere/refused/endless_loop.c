/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tell: the loop of line 14 has no end that the verifier could find; give it a largest number of rounds. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int find_zero(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	volatile __u32 rounds = 1;
	__u8 *byte = (void *)(long)ctx->data;

	while (rounds) // here
		rounds = rounds * 3 | 1;
	return (void *)(byte + 1) > data_end ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
