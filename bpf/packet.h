/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What parse() finds in a packet: where its headers lie, and what they say of the rest. */
#ifndef XDP_LAB_PACKET_H
#define XDP_LAB_PACKET_H

#include "headers.h"

struct packet {
	struct ethhdr *eth;
	struct iphdr *ip; /* this or the next, or neither */
	struct ipv6hdr *ip6;
	void *l4; /* what IP carries; NULL in a later fragment */
	void *end; /* of the frame; the verifier wants a comparison with it before each read */
	u32 length; /* bytes there by IP's account: Ethernet pads short frames */
	u8 protocol; /* of what is at l4 */
	u8 tags; /* VLAN tags before IP */
	bool options; /* between ip and l4 lie options, between ip6 and l4 extension headers */
	enum { WHOLE, FIRST, LATER } fragment; /* a later one has no ports, no ICMP type */
};

#endif
