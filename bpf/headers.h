/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lies in a packet behind Ethernet, byte by byte as the wire has it; IPv4 is in xdp.h. */
#ifndef XDP_LAB_HEADERS_H
#define XDP_LAB_HEADERS_H

#include "ipv6.h"

/* Their kernel headers pull in linux/in.h, for which BCC takes a second and more. */
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17

/*
 * After the EtherType that announces it.  The kernel keeps its struct vlan_hdr to itself:
 * there, number is h_vlan_TCI and type h_vlan_encapsulated_proto (include/linux/if_vlan.h).
 */
struct vlan_tag {
	__be16 number, type; /* type: of what comes next */
};

struct udphdr {
	__be16 source, dest, len;
	__sum16 check;
};

struct icmphdr { /* an echo in ICMPv6 looks the same */
	u8 type, code;
	__sum16 checksum;
	union {
		struct {
			__be16 id, sequence;
		} echo;
		__be32 gateway; /* the one of a redirect; other types have these 4 bytes as well */
	} un;
};

#endif
