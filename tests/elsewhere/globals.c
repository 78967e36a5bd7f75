/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As the skeletons' examples are configured: const volatile for .rodata, and .data and .bss beside.
 * UDP and TCP to the port of `cfg` is dropped while `enabled`; the rest passes, and all is counted. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/in.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

const volatile struct {
	__u16 port;
	bool count_bytes;
	__u8 protos[2];
} cfg = {
	.port = 53,
	.count_bytes = true,
	.protos = { IPPROTO_UDP, IPPROTO_TCP },
};

const volatile char name[16] = "globals";

bool enabled = true;               /* .data */
__u64 by_verdict[5] = {};          /* .bss */
static volatile __s64 balance = -1; /* .data, and nobody else's */
__u64 bytes;
int last_port = -1;

static __always_inline int count(struct xdp_md *ctx, int verdict)
{
	if (verdict >= 0 && verdict < 5)
		__sync_fetch_and_add(&by_verdict[verdict], 1);
	if (cfg.count_bytes)
		__sync_fetch_and_add(&bytes, ctx->data_end - ctx->data);
	balance += verdict == XDP_PASS ? 1 : -1;
	return verdict;
}

SEC("xdp")
int xdp_globals(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *l4 = (void *)(ip + 1);

	if ((void *)(l4 + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return count(ctx, XDP_PASS);
	if (ip->protocol != cfg.protos[0] && ip->protocol != cfg.protos[1])
		return count(ctx, XDP_PASS);

	last_port = bpf_ntohs(l4->dest);
	return count(ctx, enabled && last_port == cfg.port ? XDP_DROP : XDP_PASS);
}

char _license[] SEC("license") = "GPL";
