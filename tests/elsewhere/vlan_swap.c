/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As xdp-tutorial rewrites: bpf_xdp_adjust_head() makes room for a tag, or takes it away.
 * A frame with a VLAN tag loses it, and one without gets the tag of VLAN 1. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define VLAN_ID 1

struct vlan_hdr {
	__be16 h_vlan_TCI;
	__be16 h_vlan_encapsulated_proto;
};

#define VLAN_HLEN ((int)sizeof(struct vlan_hdr))

/* The two addresses: what stays in front when a tag comes or goes. */
struct macs {
	__u8 byte[2 * ETH_ALEN];
};

static __always_inline int move_head(struct xdp_md *ctx, int by)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct macs *from = (void *)(long)ctx->data, *to;
	struct macs saved;

	if ((void *)(from + 1) > data_end)
		return -1;
	saved = *from;
	if (bpf_xdp_adjust_head(ctx, by))
		return -1;

	to = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;
	if ((void *)(to + 1) > data_end)
		return -1;
	*to = saved;
	return 0;
}

static __always_inline int push_tag(struct xdp_md *ctx, __u16 id)
{
	struct vlan_hdr *vlh;
	struct ethhdr *eth;
	void *data_end;

	if (move_head(ctx, -VLAN_HLEN))
		return XDP_ABORTED;

	eth = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;
	vlh = (void *)(eth + 1);
	if ((void *)(vlh + 1) > data_end)
		return XDP_ABORTED;

	/* behind the tag the old EtherType stands where it was */
	eth->h_proto = bpf_htons(ETH_P_8021Q);
	vlh->h_vlan_TCI = bpf_htons(id);
	return XDP_PASS;
}

SEC("xdp")
int vlan_swap_func(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;

	if (eth->h_proto != bpf_htons(ETH_P_8021Q))
		return push_tag(ctx, VLAN_ID);

	/* the tag's last two bytes are the EtherType, so it is enough to move the addresses */
	return move_head(ctx, VLAN_HLEN) ? XDP_ABORTED : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
