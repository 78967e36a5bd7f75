/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As katran keeps its maps: VIPs in a hash of address, port and protocol; a ring of reals for each.
 * A packet to a VIP goes back out within IP-in-IP to its real; the VIP counts it. Others pass. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/in.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define RING_SIZE 7
#define MAX_VIPS 16
#define MAX_REALS 16
#define TTL 64

struct vip_definition {
	union {
		__be32 vip;
		__be32 vipv6[4];
	};
	__u16 port; /* in network byte order */
	__u8 proto;
};

struct vip_meta {
	__u32 flags;
	__u32 vip_num;
};

struct real_definition {
	__be32 dst;
	__u8 flags;
};

struct lb_stats {
	__u64 v1;
	__u64 v2;
};

struct ctl_value {
	__u8 mac[ETH_ALEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct vip_definition);
	__type(value, struct vip_meta);
	__uint(max_entries, MAX_VIPS);
} vip_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, MAX_VIPS * RING_SIZE);
} ch_rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct real_definition);
	__uint(max_entries, MAX_REALS);
} reals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct lb_stats);
	__uint(max_entries, MAX_VIPS);
} stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct ctl_value);
	__uint(max_entries, 1);
} ctl_array SEC(".maps");

__attribute__((__always_inline__)) static inline __u16 ipv4_csum(struct iphdr *iph)
{
	__u32 sum = 0;
	__u16 *word = (__u16 *)iph;

#pragma clang loop unroll(full)
	for (int i = 0; i < sizeof(*iph) / 2; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

__attribute__((__always_inline__)) static inline int encap_v4(struct xdp_md *xdp, __be32 src,
							      __be32 dst, __u16 payload)
{
	__u32 zero = 0;
	struct ctl_value *cval = bpf_map_lookup_elem(&ctl_array, &zero);
	struct ethhdr old, *eth;
	struct iphdr *iph;

	if (!cval)
		return XDP_DROP;
	if (bpf_xdp_adjust_head(xdp, 0 - (int)sizeof(*iph)))
		return XDP_DROP;

	eth = (void *)(long)xdp->data;
	iph = (void *)(eth + 1);
	if ((void *)(iph + 1) > (void *)(long)xdp->data_end)
		return XDP_DROP;

	/* the balancer's own address stands where the old header begins, 20 bytes on */
	if ((void *)eth + sizeof(*iph) + sizeof(old) > (void *)(long)xdp->data_end)
		return XDP_DROP;
	__builtin_memcpy(&old, (void *)eth + sizeof(*iph), sizeof(old));
	__builtin_memcpy(eth->h_source, old.h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, cval->mac, ETH_ALEN);
	eth->h_proto = bpf_htons(ETH_P_IP);

	__builtin_memset(iph, 0, sizeof(*iph));
	iph->version = 4;
	iph->ihl = 5;
	iph->ttl = TTL;
	iph->protocol = IPPROTO_IPIP;
	iph->tot_len = bpf_htons(payload + sizeof(*iph));
	iph->saddr = src;
	iph->daddr = dst;
	iph->check = ipv4_csum(iph);
	return XDP_TX;
}

SEC("xdp")
int balancer_ingress(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *iph = (void *)(eth + 1);
	struct udphdr *l4 = (void *)(iph + 1); /* its ports stand where TCP's do */
	struct vip_definition vip = {};
	struct real_definition *dst;
	struct vip_meta *vip_info;
	struct lb_stats *count;
	__u32 key, *real_pos, vip_num;

	if ((void *)(l4 + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP) || iph->ihl != 5)
		return XDP_PASS;
	if (iph->protocol != IPPROTO_TCP && iph->protocol != IPPROTO_UDP)
		return XDP_PASS;

	vip.vip = iph->daddr;
	vip.port = l4->dest;
	vip.proto = iph->protocol;
	vip_info = bpf_map_lookup_elem(&vip_map, &vip);
	if (!vip_info)
		return XDP_PASS;

	vip_num = vip_info->vip_num;
	key = RING_SIZE * vip_num + (bpf_ntohl(iph->saddr) ^ bpf_ntohs(l4->source)) % RING_SIZE;
	real_pos = bpf_map_lookup_elem(&ch_rings, &key);
	if (!real_pos)
		return XDP_DROP;
	key = *real_pos;
	dst = bpf_map_lookup_elem(&reals, &key);
	if (!dst || !dst->dst)
		return XDP_DROP;

	count = bpf_map_lookup_elem(&stats, &vip_num);
	if (!count)
		return XDP_DROP;
	count->v1 += 1;
	count->v2 += bpf_ntohs(iph->tot_len);

	return encap_v4(ctx, iph->daddr, dst->dst, bpf_ntohs(iph->tot_len));
}

char _license[] SEC("license") = "GPL";
