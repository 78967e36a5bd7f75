/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ICMP error belongs to the flow of the packet that it quotes, seen from the
 * other end: "packet too big" reaches the server that sent the packet.  Every
 * other packet belongs to the flow of its own five-tuple.
 */
#ifndef XDP_LAB_FLOW_H
#define XDP_LAB_FLOW_H

#include "hash.h"
#include "quote.h"

/* Writes all 40 bytes of flow: zeros where there is no IP. */
static __always_inline void flow_of(struct packet *pkt, struct five_tuple *flow)
{
	struct packet quote;
	struct five_tuple sent;
	if (!is_error(pkt) || !parse_quote(pkt, &quote) || !five_tuple(&quote, &sent)) {
		five_tuple(pkt, flow);
		return;
	}
	*flow = (struct five_tuple){
		.source = {sent.destination[0], sent.destination[1]},
		.destination = {sent.source[0], sent.source[1]},
		.source_port = sent.destination_port,
		.destination_port = sent.source_port,
		.protocol = sent.protocol,
	};
}

#endif
