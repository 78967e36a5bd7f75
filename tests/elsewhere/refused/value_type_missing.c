/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tell: line 9 names struct datarec, which is described nowhere, so no one knows how long a value is. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct datarec); // here
	__uint(max_entries, 1);
} counts SEC(".maps");

SEC("xdp")
int count_all(struct xdp_md *ctx)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&counts, &key) ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
