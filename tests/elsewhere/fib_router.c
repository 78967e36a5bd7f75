/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As the kernel's samples and xdp-tutorial route: bpf_fib_lookup() asks the kernel's own routes.
 * What the host would forward leaves by the right interface with a TTL one lower; all else passes. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#ifndef AF_INET
#define AF_INET 2
#endif
#ifndef AF_INET6
#define AF_INET6 10
#endif

static __always_inline int ask_v4(struct bpf_fib_lookup *fib, struct iphdr *ip, void *data_end)
{
	if ((void *)(ip + 1) > data_end || ip->ttl < 2)
		return -1;
	fib->family = AF_INET;
	fib->tos = ip->tos;
	fib->l4_protocol = ip->protocol;
	fib->tot_len = bpf_ntohs(ip->tot_len);
	fib->ipv4_src = ip->saddr;
	fib->ipv4_dst = ip->daddr;
	return 0;
}

static __always_inline int ask_v6(struct bpf_fib_lookup *fib, struct ipv6hdr *ip6, void *data_end)
{
	if ((void *)(ip6 + 1) > data_end || ip6->hop_limit < 2)
		return -1;
	fib->family = AF_INET6;
	fib->l4_protocol = ip6->nexthdr;
	fib->tot_len = bpf_ntohs(ip6->payload_len) + sizeof(*ip6);
	__builtin_memcpy(fib->ipv6_src, &ip6->saddr, sizeof(ip6->saddr));
	__builtin_memcpy(fib->ipv6_dst, &ip6->daddr, sizeof(ip6->daddr));
	return 0;
}

/* RFC 1624, of a number that only falls by one: the sum rises by as much */
static __always_inline void lower_ttl(struct iphdr *ip)
{
	__u32 sum = ip->check + bpf_htons(0x0100);

	ip->check = sum + (sum >= 0xffff);
	ip->ttl--;
}

SEC("xdp")
int xdp_router(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct bpf_fib_lookup fib = { .ifindex = ctx->ingress_ifindex };
	void *l3 = eth + 1;
	int is_v4;

	if (l3 > data_end)
		return XDP_DROP;

	switch (eth->h_proto) {
	case bpf_htons(ETH_P_IP):
		is_v4 = 1;
		if (ask_v4(&fib, l3, data_end))
			return XDP_PASS;
		break;
	case bpf_htons(ETH_P_IPV6):
		is_v4 = 0;
		if (ask_v6(&fib, l3, data_end))
			return XDP_PASS;
		break;
	default:
		return XDP_PASS;
	}

	switch (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0)) {
	case BPF_FIB_LKUP_RET_SUCCESS:
		break;
	case BPF_FIB_LKUP_RET_BLACKHOLE:
	case BPF_FIB_LKUP_RET_UNREACHABLE:
	case BPF_FIB_LKUP_RET_PROHIBIT:
		return XDP_DROP;
	default:
		return XDP_PASS;
	}

	if (is_v4)
		lower_ttl(l3);
	else
		((struct ipv6hdr *)l3)->hop_limit--;

	__builtin_memcpy(eth->h_dest, fib.dmac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, fib.smac, ETH_ALEN);
	return bpf_redirect(fib.ifindex, 0);
}

char _license[] SEC("license") = "GPL";
