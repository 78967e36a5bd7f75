/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As xdp-tutorial's packet lessons answer: addresses swapped, and bpf_csum_diff() of what changed.
 * An echo request over IPv4 goes back as its reply; all else passes. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/in.h>
#include <linux/icmp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define swap(a, b)                       \
	do {                             \
		typeof(a) __old = (a);   \
		(a) = (b);               \
		(b) = __old;             \
	} while (0)

static __always_inline __sum16 csum_fold(__u32 sum)
{
	sum = (sum >> 16) + (sum & 0xffff);
	sum += sum >> 16;
	return (__sum16)~sum;
}

static __always_inline void swap_macs(struct ethhdr *eth)
{
	__u8 old[ETH_ALEN];

	__builtin_memcpy(old, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, old, ETH_ALEN);
}

SEC("xdp")
int icmp_echo_func(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct icmphdr *icmp = (void *)(ip + 1);
	__be32 was, is;
	__s64 sum;

	if ((void *)(icmp + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->ihl != 5 || ip->protocol != IPPROTO_ICMP || icmp->type != ICMP_ECHO)
		return XDP_PASS;

	swap_macs(eth);
	swap(ip->saddr, ip->daddr);

	/* type, code and a checksum of 0: the word that the reply has otherwise */
	was = bpf_htonl(ICMP_ECHO << 24);
	is = bpf_htonl(ICMP_ECHOREPLY << 24);
	sum = bpf_csum_diff(&was, sizeof(was), &is, sizeof(is), (__u16)~icmp->checksum);
	icmp->type = ICMP_ECHOREPLY;
	icmp->checksum = csum_fold(sum);

	return XDP_TX;
}

char _license[] SEC("license") = "GPL";
