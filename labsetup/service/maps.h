/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the program is told, remembers and counts.  All maps but one are pinned: control planes and
 * programs come and go, and find them again.  balancer.py packs the same bytes.
 */
#ifndef BALANCER_MAPS_H
#define BALANCER_MAPS_H

#include "flow.h"
#include "siphash.h"

#define ROWS 16384 /* of a service */
#define SERVERS 64 /* places of a service; place 0 is nobody's */
#define SERVICES 64 /* number 0 is no service's */

enum { GONE, DRAINING, IN_USE };

struct server {
	__u8 mac[ETH_ALEN];
	__u8 state, zero;
};

struct service {
	__u8 mac[ETH_ALEN]; /* the balancer's own */
	__u16 number;
	struct server server[SERVERS];
	__u8 row[ROWS]; /* the owner's place */
};

struct services {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* of this pattern; each that user space makes has its own */
	__uint(key_size, sizeof(struct vip)); /* clang forgets the types of a map in a map */
	__uint(value_size, sizeof(struct service));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__array(values, struct services);
} current SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH); /* what rests longest is forgotten first */
	__uint(max_entries, 65536);
	__type(key, struct flow);
	__type(value, __u8);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} flows SEC(".maps");

/*
 * Where a flow is put together, field by field.  On the stack Linux 6.1 refuses that without
 * CAP_PERFMON ("attempt to corrupt spilled pointer on stack"): of eight bytes it knows a number in
 * some, and lets nobody write the others.  No packet meets another's: one at a time is on a CPU.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow);
} scratch SEC(".maps");

struct count {
	__u64 packets, bytes;
};

struct { /* number * SERVERS + place; 0 is what no service was asked for */
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SERVICES *SERVERS);
	__type(key, __u32);
	__type(value, struct count);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct key);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} secret SEC(".maps");

struct known { /* balancer.py's own, for the time after a crash */
	__u32 number; /* of a service; or the place of a server */
	__u8 ill, mac[ETH_ALEN], zero;
};

struct known_key {
	struct vip vip;
	struct in6_addr server; /* :: for the service itself */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SERVICES *SERVERS);
	__type(key, struct known_key);
	__type(value, struct known);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} known SEC(".maps");

#endif
