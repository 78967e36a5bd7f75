/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As the kernel's sample on bpf_xdp_adjust_tail(): the packet is cut, and a header put before it.
 * IPv4 longer than the constant goes back as ICMP "fragmentation needed", with its first 28 bytes. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/icmp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define QUOTED (sizeof(struct iphdr) + 8)
#define HEADROOM ((int)(sizeof(struct iphdr) + sizeof(struct icmphdr)))

const volatile __u32 max_pcktsz = 600;

__u64 icmpcnt = 0;

static __always_inline __u16 csum_fold(__u32 sum)
{
	sum = (sum >> 16) + (sum & 0xffff);
	return ~(sum + (sum >> 16));
}

static __always_inline int send_icmp4_too_big(struct xdp_md *xdp)
{
	int offset = xdp->data_end - xdp->data - sizeof(struct ethhdr) - QUOTED;
	struct ethhdr *eth = (void *)(long)xdp->data, old;
	struct iphdr *iph = (void *)(eth + 1);
	struct icmphdr *icmp;
	__be32 client, own;

	if ((void *)(iph + 1) > (void *)(long)xdp->data_end)
		return XDP_DROP;
	old = *eth;
	client = iph->saddr;
	own = iph->daddr;

	if (bpf_xdp_adjust_tail(xdp, -offset) || bpf_xdp_adjust_head(xdp, -HEADROOM))
		return XDP_DROP;

	eth = (void *)(long)xdp->data;
	iph = (void *)(eth + 1);
	icmp = (void *)(iph + 1);
	if ((void *)(icmp + 1) + QUOTED > (void *)(long)xdp->data_end)
		return XDP_DROP;

	__builtin_memcpy(eth->h_dest, old.h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, old.h_dest, ETH_ALEN);
	eth->h_proto = old.h_proto;

	__builtin_memset(icmp, 0, sizeof(*icmp));
	icmp->type = ICMP_DEST_UNREACH;
	icmp->code = ICMP_FRAG_NEEDED;
	icmp->un.frag.mtu = bpf_htons(max_pcktsz - sizeof(*eth));
	icmp->checksum = csum_fold(bpf_csum_diff(0, 0, (__be32 *)icmp, sizeof(*icmp) + QUOTED, 0));

	__builtin_memset(iph, 0, sizeof(*iph));
	iph->version = 4;
	iph->ihl = 5;
	iph->ttl = 64;
	iph->protocol = IPPROTO_ICMP;
	iph->saddr = own;
	iph->daddr = client;
	iph->tot_len = bpf_htons(sizeof(*iph) + sizeof(*icmp) + QUOTED);
	iph->check = csum_fold(bpf_csum_diff(0, 0, (__be32 *)iph, sizeof(*iph), 0));

	__sync_fetch_and_add(&icmpcnt, 1);
	return XDP_TX;
}

SEC("xdp")
int xdp_icmp_too_big(struct xdp_md *xdp)
{
	void *data_end = (void *)(long)xdp->data_end;
	struct ethhdr *eth = (void *)(long)xdp->data;

	if ((void *)(eth + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (data_end - (void *)eth <= max_pcktsz)
		return XDP_PASS;
	return send_icmp4_too_big(xdp);
}

char _license[] SEC("license") = "GPL";
