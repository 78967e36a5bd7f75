/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As xdp-tutorial rewrites: a field is changed, and the checksum by what the change weighs.
 * A UDP or TCP packet goes to the port one below; that over UDP without checksum stays so. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/in.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

static __always_inline void csum_replace2(__u16 *check, __be16 old, __be16 new)
{
	__u32 sum = (__u16)~*check + (__u16)~old + new;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	*check = ~sum;
}

SEC("xdp")
int xdp_patch_ports_func(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;
	struct iphdr *iph = (void *)(eth + 1);
	int hdrsize;
	__be16 old;

	if ((void *)(iph + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;

	hdrsize = iph->ihl * 4;
	if (hdrsize < sizeof(*iph))
		return XDP_PASS;

	if (iph->protocol == IPPROTO_UDP) {
		struct udphdr *udph = (void *)iph + hdrsize;

		if ((void *)(udph + 1) > data_end)
			return XDP_ABORTED;
		old = udph->dest;
		udph->dest = bpf_htons(bpf_ntohs(udph->dest) - 1);
		if (udph->check) {
			csum_replace2(&udph->check, old, udph->dest);
			if (!udph->check)
				udph->check = 0xffff;
		}
	} else if (iph->protocol == IPPROTO_TCP) {
		struct tcphdr *tcph = (void *)iph + hdrsize;

		if ((void *)(tcph + 1) > data_end)
			return XDP_ABORTED;
		old = tcph->dest;
		tcph->dest = bpf_htons(bpf_ntohs(tcph->dest) - 1);
		csum_replace2(&tcph->check, old, tcph->dest);
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
