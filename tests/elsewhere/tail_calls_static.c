/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As the kernel's selftests fill an array of programs: in the declaration itself, by .values.
 * The first program jumps by the IP version: IPv4 is dropped, IPv6 passes, ARP has no program. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

enum { PROG_V4, PROG_V6, PROG_NONE, PROG_MAX };

__u64 missed = 0;

SEC("xdp")
int handle_v4(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("xdp")
int handle_v6(struct xdp_md *ctx)
{
	return XDP_PASS;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, PROG_MAX);
	__uint(key_size, sizeof(__u32));
	__array(values, int (void *));
} jmp_table SEC(".maps") = {
	.values = {
		[PROG_V4] = (void *)&handle_v4,
		[PROG_V6] = (void *)&handle_v6,
	},
};

SEC("xdp")
int tail_calls_static(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > data_end)
		return XDP_DROP;

	switch (bpf_ntohs(eth->h_proto)) {
	case ETH_P_IP:
		bpf_tail_call(ctx, &jmp_table, PROG_V4);
		break;
	case ETH_P_IPV6:
		bpf_tail_call(ctx, &jmp_table, PROG_V6);
		break;
	default:
		bpf_tail_call(ctx, &jmp_table, PROG_NONE);
	}

	/* a tail call that succeeds never returns */
	__sync_fetch_and_add(&missed, 1);
	return XDP_ABORTED;
}

char _license[] SEC("license") = "GPL";
