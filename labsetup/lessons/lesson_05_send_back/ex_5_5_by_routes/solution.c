#include "checksum.h"
#include "parse.h"

#define AF_INET 2

int by_routes(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	struct iphdr *ip = pkt.ip;
	if (!ip || pkt.tags)
		return XDP_PASS;
	if (pkt.options || ip->ttl <= 1)
		return XDP_PASS;

	struct bpf_fib_lookup way = {.family = AF_INET};
	way.ipv4_src = ip->saddr;
	way.ipv4_dst = ip->daddr;
	way.tot_len = ntohs(ip->tot_len);
	way.ifindex = ctx->ingress_ifindex;
	if (bpf_fib_lookup(ctx, &way, sizeof(way), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return XDP_PASS;

	ip->check = mended(ip->check, htons(ip->ttl << 8), htons((ip->ttl - 1) << 8));
	ip->ttl--;
	__builtin_memcpy(pkt.eth->h_dest, way.dmac, ETH_ALEN);
	__builtin_memcpy(pkt.eth->h_source, way.smac, ETH_ALEN);
	return bpf_redirect(way.ifindex, 0);
}
