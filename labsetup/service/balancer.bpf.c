// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A flow to a VIP goes to the server that owns its row; a TCP connection stays with the server
 * that it began with, while that one is there.  The server has the VIP too and answers the client
 * itself.  All that a packet is decided by stands in one map, which is swapped as a whole.
 */
#include "maps.h"

static __always_inline bool same_mac(const __u8 *a, const __u8 *b)
{
	__u8 differ = 0;

#pragma unroll
	for (int i = 0; i < ETH_ALEN; i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

static __always_inline int counted(struct xdp_md *ctx, __u32 which, int verdict)
{
	struct count *count = bpf_map_lookup_elem(&counts, &which);
	if (count) {
		count->packets++;
		count->bytes += bpf_xdp_get_buff_len(ctx);
	}
	return verdict;
}

SEC("xdp")
int balance(struct xdp_md *ctx)
{
	__u32 first = 0;
	__u8 flags;
	struct flow *flow = bpf_map_lookup_elem(&scratch, &first);
	if (!flow)
		return counted(ctx, 0, XDP_PASS);
	*flow = (struct flow){};
	/* Apart from the tests below: of some joined by & Linux 6.1 follows either way, as a CPU may. */
	if (!read_flow(ctx, flow, &flags))
		return counted(ctx, 0, XDP_PASS);
	void *services = bpf_map_lookup_elem(&current, &first);
	struct key *key = bpf_map_lookup_elem(&secret, &first);
	struct service *service = services ? bpf_map_lookup_elem(services, &flow->vip) : NULL;
	struct ethhdr *eth = (void *)(long)ctx->data;
	if (!service || !key || (void *)(eth + 1) > (void *)(long)ctx->data_end)
		return counted(ctx, 0, XDP_PASS);
	/* A switch floods what it does not know: frames for other hosts arrive here too. */
	if (!same_mac(eth->h_dest, service->mac))
		return counted(ctx, 0, XDP_PASS);

	/* A read 0 in place of a plain one: without CAP_PERFMON no constant may come to index. */
	__u8 *remembered = bpf_map_lookup_elem(&flows, flow) ?: &service->server[0].zero;
	__u8 place = *remembered & (SERVERS - 1);
	/* SYN without ACK begins a connection, which a server that drains is not to get. */
	__u8 wanted = (flags & 0x12) == 0x02 ? IN_USE : DRAINING;
	if (service->server[place].state < wanted) {
		__u64 hash = siphash((void *)flow, key);
		place = service->row[hash & (ROWS - 1)] & (SERVERS - 1);
		if (flags && place)
			bpf_map_update_elem(&flows, flow, &place, BPF_ANY);
	}

	__u32 which = (service->number & (SERVICES - 1)) * SERVERS + place;
	if (!place)
		return counted(ctx, which, XDP_PASS);
	/* Masked anew: 6.1 also follows where the test of place is guessed, and nothing known of it. */
	barrier_var(place);
	struct server *server = &service->server[place & (SERVERS - 1)];
	__builtin_memcpy(eth->h_dest, server->mac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, service->mac, ETH_ALEN);
	return counted(ctx, which, XDP_TX);
}

char LICENSE[] SEC("license") = "GPL";
