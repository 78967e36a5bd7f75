/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tell: line 17 gives the map itself; a helper takes its address: bpf_map_lookup_elem(&counts, &key). */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 1);
} counts SEC(".maps");

SEC("xdp")
int count_all(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *n = bpf_map_lookup_elem(counts, &key); // here

	if (n)
		(*n)++;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
