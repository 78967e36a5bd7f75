/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As newer programs loop: bpf_loop() (Linux 5.17) with a callback and a context on the stack.
 * It walks TCP's options; a SYN whose MSS is below the constant is dropped, and all else passes. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define MAX_OPTIONS 40

volatile const __u16 min_mss = 536;

__u16 last_mss;

struct walk {
	struct xdp_md *ctx;
	__u32 off;
	__u32 end;
	__u16 mss;
};

static long next_option(__u32 i, struct walk *w)
{
	void *data_end = (void *)(long)w->ctx->data_end;
	__u8 *opt = (void *)(long)w->ctx->data;

	if (w->off >= w->end || w->off > 200)
		return 1;
	opt += w->off;
	if ((void *)(opt + 2) > data_end || opt[0] == 0)
		return 1;
	if (opt[0] == 1) {
		w->off += 1;
		return 0;
	}
	if (opt[0] == 2 && opt[1] == 4 && (void *)(opt + 4) <= data_end) {
		w->mss = opt[2] << 8 | opt[3];
		return 1;
	}
	w->off += opt[1] < 2 ? 2 : opt[1];
	return 0;
}

SEC("xdp")
int check_mss(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct walk w = { .ctx = ctx };

	if ((void *)(tcp + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->ihl != 5 || ip->protocol != IPPROTO_TCP || !tcp->syn)
		return XDP_PASS;

	w.off = sizeof(*eth) + sizeof(*ip) + sizeof(*tcp);
	w.end = sizeof(*eth) + sizeof(*ip) + tcp->doff * 4;
	bpf_loop(MAX_OPTIONS, next_option, &w, 0);

	last_mss = w.mss;
	return w.mss && w.mss < min_mss ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
