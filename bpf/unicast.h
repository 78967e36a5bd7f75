/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether an address in a packet means exactly one host; pointers to the packet's own bytes. */
#ifndef XDP_LAB_UNICAST_H
#define XDP_LAB_UNICAST_H

#include "headers.h"

/* mac: 6 bytes, of which the first bit on the wire marks a group (IEEE 802.3, 3.2.3). */
static __always_inline bool unicast_mac(const u8 *mac)
{
	return !(mac[0] & 1);
}

/* Which addresses are the broadcast of some network, only that network knows. */
static __always_inline bool unicast_ip(const __be32 *address)
{
	u8 first = *(const u8 *)address;

	/* Not 0/8 "this network", 127/8 loopback, 224/4 multicast, 240/4 reserved and broadcast. */
	return first != 0 && first != 127 && first < 224;
}

/* An anycast address looks like one host's, and counts as such (RFC 4291, 2.6). */
static __always_inline bool unicast_ip6(const struct in6_addr *address)
{
	/* In ::/64 are the unspecified address, loopback, and IPv4 addresses in IPv6's clothes. */
	return address->s6_addr[0] != 0xff && (address->s6_addr32[0] || address->s6_addr32[1]);
}

/* 169.254/16 is link-local: a router does not carry it to another link (RFC 3927, 7). */
static __always_inline bool routable_ip(const __be32 *address)
{
	const u8 *byte = (const u8 *)address;

	return unicast_ip(address) && !(byte[0] == 169 && byte[1] == 254);
}

/* Nor does it carry fe80::/10, which is link-local in IPv6 (RFC 4291, 2.5.6). */
static __always_inline bool routable_ip6(const struct in6_addr *address)
{
	const u8 *byte = address->s6_addr;

	return unicast_ip6(address) && !(byte[0] == 0xfe && (byte[1] & 0xc0) == 0x80);
}

#endif
