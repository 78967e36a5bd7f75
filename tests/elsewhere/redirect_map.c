/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As xdp-tutorial redirects: a device map of ports, and a hash from source MAC to next MAC.
 * A frame of a known source leaves by port 0 with its new destination; others pass. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>

#ifndef memcpy
#define memcpy(dest, src, n) __builtin_memcpy((dest), (src), (n))
#endif

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(key_size, sizeof(int));
	__uint(value_size, sizeof(int));
	__uint(max_entries, 256);
} tx_port SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(key_size, ETH_ALEN);
	__uint(value_size, ETH_ALEN);
	__uint(max_entries, 1);
} redirect_params SEC(".maps");

SEC("xdp")
int xdp_redirect_map_func(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;
	unsigned char *dst;

	if (data + sizeof(*eth) > data_end)
		return XDP_DROP;

	dst = bpf_map_lookup_elem(&redirect_params, eth->h_source);
	if (!dst)
		return XDP_PASS;

	memcpy(eth->h_dest, dst, ETH_ALEN);
	return bpf_redirect_map(&tx_port, 0, 0);
}

char _license[] SEC("license") = "GPL";
