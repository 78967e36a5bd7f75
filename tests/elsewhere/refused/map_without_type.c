/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tell: the map `counts` (line 10) does not say what it is: add __uint(type, BPF_MAP_TYPE_ARRAY). */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 1);
} counts SEC(".maps"); // here

SEC("xdp")
int count_all(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *n = bpf_map_lookup_elem(&counts, &key);

	if (n)
		(*n)++;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
