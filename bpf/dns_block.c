// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A DNS query over UDP for a name in blocked ends here and is counted there; upper
 * or lower case is the same.  Every other packet goes on to the stack, and so do
 * names longer than 63 bytes and the later fragments of a query.
 */
#include "parse.h"

struct name {
	char text[64]; /* as in the query, "\7example\3org", lower case, then zeros */
};

struct dnshdr {
	__be16 id, flags, questions, answers, authorities, additionals;
};

BPF_HASH(blocked, struct name, u64); /* name: queries dropped */

/* Counts the query as well; several CPUs may do so at once. */
static __always_inline bool is_blocked(struct name *name)
{
	u64 *dropped = blocked.lookup(name);
	if (dropped)
		__sync_fetch_and_add(dropped, 1);
	return dropped;
}

SEC("xdp")
int dns_block(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	if (!pkt.l4 || pkt.protocol != IPPROTO_UDP)
		return XDP_PASS;

	struct udphdr *udp = pkt.l4;
	struct dnshdr *dns = (void *)(udp + 1);
	u8 *byte = (void *)(dns + 1);
	if ((void *)byte > pkt.end || udp->dest != htons(53))
		return XDP_PASS;
	if (dns->flags & htons(0x8000) || dns->questions != htons(1)) /* 0x8000: a response */
		return XDP_PASS;

	/* Beyond is padding.  A first fragment has fewer bytes than UDP says. */
	u32 length = ntohs(udp->len);
	if (length > pkt.length)
		length = pkt.length;

	/*
	 * Equal names have equal bytes, so the labels need no taking apart.  Their lengths
	 * are 63 at most, less than 'A': lower case does not change them.
	 */
	struct name name = {};
	for (u32 i = 0; i < sizeof(name.text); i++, byte++) {
		barrier_var(byte); /* keeps the comparison below inside the loop */
		if ((void *)(byte + 1) > pkt.end || sizeof(*udp) + sizeof(*dns) + i >= length)
			return XDP_PASS;
		if (*byte == 0)
			return is_blocked(&name) ? XDP_DROP : XDP_PASS;
		name.text[i] = *byte >= 'A' && *byte <= 'Z' ? *byte + 'a' - 'A' : *byte;
	}
	return XDP_PASS;
}
