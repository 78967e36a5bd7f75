/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether an address in a packet means exactly one host; pointers to the packet's own bytes. */
#ifndef XDP_LAB_UNICAST_H
#define XDP_LAB_UNICAST_H

#include "headers.h"

static __always_inline bool unicast_mac(const u8 *mac)
{
	return !(mac[0] & 1);
}

static __always_inline bool unicast_ip(const __be32 *address)
{
	u8 first = *(const u8 *)address;

	/* Not 0/8 "this network", 127/8 loopback, 224/4 multicast, 240/4 reserved and broadcast. */
	return first != 0 && first != 127 && first < 224;
}

static __always_inline bool unicast_ip6(const struct in6_addr *address)
{
	/* In ::/64 are the unspecified address, loopback, and IPv4 addresses in IPv6's clothes. */
	return address->s6_addr[0] != 0xff && (address->s6_addr32[0] || address->s6_addr32[1]);
}

/* Link-local addresses are for one link: a router does not carry them to another. */
static __always_inline bool routable_ip(const __be32 *address)
{
	const u8 *byte = (const u8 *)address;

	return unicast_ip(address) && !(byte[0] == 169 && byte[1] == 254);
}

static __always_inline bool routable_ip6(const struct in6_addr *address)
{
	const u8 *byte = address->s6_addr;

	return unicast_ip6(address) && !(byte[0] == 0xfe && (byte[1] & 0xc0) == 0x80);
}

#endif
