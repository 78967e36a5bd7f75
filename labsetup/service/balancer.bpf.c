// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A flow to a VIP goes to the server that owns its row; a TCP connection stays with the server
 * that it began with, while that one is there.  The server has the VIP too and answers the client
 * itself.  All that a packet is decided by stands in one map, which is swapped as a whole.
 */
#include "maps.h"

/* a, b: 6 bytes each.  A branch in the loop would be one more path for the verifier. */
static __always_inline bool same_mac(const __u8 *a, const __u8 *b)
{
	__u8 differ = 0;

#pragma unroll
	for (int i = 0; i < ETH_ALEN; i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

/* Counts the packet in counts[which], and returns the verdict that it was given. */
static __always_inline int counted(struct xdp_md *ctx, __u32 which, int verdict)
{
	struct count *count = bpf_map_lookup_elem(&counts, &which);
	if (count) {
		count->packets++;
		count->bytes += bpf_xdp_get_buff_len(ctx);
	}
	return verdict;
}

/*
 * A place as an index, masked where the compiler holds it to be masked already: without CAP_PERFMON
 * Linux 6.12 follows wrong guesses of the processor too, and after one it may be anything.
 */
static __always_inline __u32 index_of(__u32 place)
{
	barrier_var(place);
	return place & (SERVERS - 1);
}

SEC("xdp")
int balance(struct xdp_md *ctx)
{
	__u32 first = 0;
	struct ethhdr *eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return counted(ctx, 0, XDP_PASS);
	struct packet *pkt = bpf_map_lookup_elem(&scratch, &first);
	if (!pkt || !read_packet(ctx, eth->h_proto, pkt))
		return counted(ctx, 0, XDP_PASS);
	void *services = bpf_map_lookup_elem(&current, &first);
	if (!services)
		return counted(ctx, 0, XDP_PASS);
	struct service *service = bpf_map_lookup_elem(services, &pkt->flow.vip);
	if (!service)
		return counted(ctx, 0, XDP_PASS);
	/* A switch floods what it does not know: frames for other hosts arrive here too. */
	if (!same_mac(eth->h_dest, service->mac))
		return counted(ctx, 0, XDP_PASS);

	/* A read 0 in place of a plain one: without CAP_PERFMON no constant may come to index. */
	__u8 *remembered = bpf_map_lookup_elem(&flows, &pkt->flow) ?: &service->server[0].zero;
	__u8 place = *remembered;
	/* SYN without ACK begins a connection, which a server that drains is not to get. */
	__u8 wanted = (pkt->flags & 0x12) == 0x02 ? IN_USE : DRAINING;
	if (service->server[index_of(place)].state < wanted) {
		struct key *key = bpf_map_lookup_elem(&secret, &first);
		if (!key)
			return counted(ctx, 0, XDP_PASS);
		place = service->row[siphash((void *)&pkt->flow, key) & (ROWS - 1)];
		if (pkt->flags && place)
			bpf_map_update_elem(&flows, &pkt->flow, &place, BPF_ANY);
	}

	__u32 which = (service->number & (SERVICES - 1)) * SERVERS + index_of(place);
	if (!place)
		return counted(ctx, which, XDP_PASS);
	__builtin_memcpy(eth->h_dest, service->server[index_of(place)].mac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, service->mac, ETH_ALEN);
	return counted(ctx, which, XDP_TX);
}

char LICENSE[] SEC("license") = "GPL";
