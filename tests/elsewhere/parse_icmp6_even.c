/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As xdp-tutorial parses: a cursor that each parser moves on, through up to two VLAN tags.
 * Of echo requests over IPv6 those with an even sequence number are dropped. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ipv6.h>
#include <linux/icmpv6.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define VLAN_MAX_DEPTH 2

struct vlan_hdr {
	__be16 h_vlan_TCI;
	__be16 h_vlan_encapsulated_proto;
};

struct hdr_cursor {
	void *pos;
	void *end;
};

/* The header at the cursor, or NULL where the packet ends within it. */
#define PULL(nh, type)                                                \
	({                                                            \
		type *__hdr = (nh)->pos;                              \
		if ((void *)(__hdr + 1) > (nh)->end)                  \
			__hdr = NULL;                                 \
		else                                                  \
			(nh)->pos = __hdr + 1;                        \
		__hdr;                                                \
	})

static __always_inline int parse_ethhdr(struct hdr_cursor *nh)
{
	struct ethhdr *eth = PULL(nh, struct ethhdr);
	__be16 proto;

	if (!eth)
		return -1;
	proto = eth->h_proto;

#pragma unroll
	for (int i = 0; i < VLAN_MAX_DEPTH; i++) {
		struct vlan_hdr *vlh;

		if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
			break;
		vlh = PULL(nh, struct vlan_hdr);
		if (!vlh)
			return -1;
		proto = vlh->h_vlan_encapsulated_proto;
	}
	return bpf_ntohs(proto);
}

static __always_inline int parse_ip6hdr(struct hdr_cursor *nh)
{
	struct ipv6hdr *ip6h = PULL(nh, struct ipv6hdr);

	return ip6h ? ip6h->nexthdr : -1;
}

SEC("xdp")
int xdp_parser(struct xdp_md *ctx)
{
	struct hdr_cursor nh = {
		.pos = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
	};
	struct icmp6hdr *icmp6;

	if (parse_ethhdr(&nh) != ETH_P_IPV6)
		return XDP_PASS;
	if (parse_ip6hdr(&nh) != IPPROTO_ICMPV6)
		return XDP_PASS;

	icmp6 = PULL(&nh, struct icmp6hdr);
	if (!icmp6 || icmp6->icmp6_type != ICMPV6_ECHO_REQUEST)
		return XDP_PASS;

	return bpf_ntohs(icmp6->icmp6_sequence) & 1 ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
