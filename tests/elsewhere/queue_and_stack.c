/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As the selftests use maps without keys: bpf_map_push_elem(), and a queue that user space fills.
 * A packet takes the next ticket from the queue and leaves its length on the stack; none: dropped. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 32);
	__uint(map_flags, 0);
	__uint(key_size, 0);
	__uint(value_size, sizeof(__u32));
} tickets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 4);
	__type(value, __u32);
} lengths SEC(".maps");

__u32 last_ticket = 0;

SEC("xdp")
int take_ticket(struct xdp_md *ctx)
{
	__u32 ticket, length = ctx->data_end - ctx->data;

	if (bpf_map_pop_elem(&tickets, &ticket))
		return XDP_DROP;
	last_ticket = ticket;

	/* BPF_EXIST: of a full stack the bottom goes */
	bpf_map_push_elem(&lengths, &length, BPF_EXIST);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
