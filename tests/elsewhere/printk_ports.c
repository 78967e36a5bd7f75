/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As everybody's first look inside: bpf_printk(), which writes into the kernel's trace.
 * Every packet passes; of TCP and UDP over IPv4 a line has the addresses and the ports. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/in.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define DEBUG 1

#ifdef DEBUG
#define debug(fmt, ...) bpf_printk("xdp_look: " fmt, ##__VA_ARGS__)
#else
#define debug(fmt, ...)
#endif

SEC("xdp")
int xdp_look(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *ports = (void *)(ip + 1);

	if ((void *)(ports + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP)
		debug("%pI4 port %d to %d", &ip->saddr, bpf_ntohs(ports->source),
		      bpf_ntohs(ports->dest));
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
