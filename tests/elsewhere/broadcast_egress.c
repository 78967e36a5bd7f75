/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As the kernel's samples copy a packet to many: a devmap_hash with BPF_F_BROADCAST (Linux 5.14).
 * What is sent to everybody leaves by every interface of the map but its own; the rest passes. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(key_size, sizeof(int));
	__uint(value_size, sizeof(struct bpf_devmap_val));
	__uint(max_entries, 32);
} forward_map SEC(".maps");

__u64 flooded;

SEC("xdp")
int redirect_multi(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	__u8 all = 0xff;

	if ((void *)(eth + 1) > data_end)
		return XDP_DROP;
	for (int i = 0; i < ETH_ALEN; i++)
		all &= eth->h_dest[i];
	if (all != 0xff)
		return XDP_PASS;

	__sync_fetch_and_add(&flooded, 1);
	return bpf_redirect_map(&forward_map, 0, BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS);
}

char _license[] SEC("license") = "GPL";
