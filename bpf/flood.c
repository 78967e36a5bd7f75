// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever came in leaves again as a UDP datagram from another client: one of 4,096
 * that chance draws.  A live frame comes back as the network left it, so all of its
 * header is written anew, from a template whose checksums are right.
 */
#include "checksum.h"
#include "headers.h"

struct headers {
	u8 byte[14 + 20 + 8]; /* Ethernet, IPv4, UDP */
};

BPF_ARRAY(templates, struct headers, 1);

/* The last 6 bits, zeros in the template, become chance's: 64 addresses, of each 64 ports. */
static __always_inline __be16 varied(__be16 field, u32 chance)
{
	return field | htons(chance & 63);
}

SEC("xdp")
int flood(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	int first = 0;
	struct headers *template = templates.lookup(&first);
	if (!template || data + sizeof(*template) > end)
		return XDP_PASS;
	__builtin_memcpy(data, template, sizeof(*template));

	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct udphdr *udp = (void *)(ip + 1);
	__be16 *source = (__be16 *)&ip->saddr + 1; /* the address's second half */
	u32 chance = bpf_get_prandom_u32();
	__be16 address = varied(*source, chance), port = varied(udp->source, chance >> 6);

	ip->check = mended(ip->check, *source, address);
	udp->check = mended(udp->check, *source, address); /* UDP's covers addresses as well */
	udp->check = mended(udp->check, udp->source, port) ?: 0xffff; /* 0 would mean: none */
	*source = address;
	udp->source = port;
	return XDP_TX;
}
