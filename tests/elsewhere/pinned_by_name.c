/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As xdp-tools keeps counts over restarts: LIBBPF_PIN_BY_NAME, so that the next load finds the map.
 * Every packet passes and is counted in a map that all loads of this program share. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} kept_count SEC(".maps");

SEC("xdp")
int xdp_kept(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *n = bpf_map_lookup_elem(&kept_count, &key);

	if (!n)
		return XDP_ABORTED;
	__sync_fetch_and_add(n, 1);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
