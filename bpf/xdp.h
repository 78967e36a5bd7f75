/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every program here starts from, built by BCC or by clang alone. */
#ifndef XDP_LAB_XDP_H
#define XDP_LAB_XDP_H

#ifdef BCC_SEC /* BCC brings bpf.h, htons() and the maps itself, and places functions */

#define SEC(name)
#include <uapi/linux/if_ether.h>
#include <uapi/linux/ip.h>

#else /* clang -target bpf */

#define SEC(name) __attribute__((section(name), used))

/*
 * linux/types.h wants <asm/types.h>, which lies in a folder named for the
 * machine, where -target bpf does not look.  These stand in for it.
 */
#define _LINUX_TYPES_H
typedef unsigned char __u8, u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64, u64;
typedef long long __s64;
typedef __u64 __attribute__((aligned(8))) __aligned_u64;
typedef __u16 __be16, __sum16, u16;
typedef __u32 __be32, __wsum, u32;
typedef _Bool bool;
#include <linux/bpf.h>
#include <linux/if_ether.h>

struct iphdr { /* as in linux/ip.h, which wants <asm/byteorder.h> */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	__u8 ihl : 4, version : 4;
#else
	__u8 version : 4, ihl : 4;
#endif
	__u8 tos;
	__be16 tot_len, id, frag_off;
	__u8 ttl, protocol;
	__sum16 check;
	__be32 saddr, daddr;
};

#define __always_inline inline __attribute__((always_inline))

/* Header fields travel in network byte order: the most significant byte first. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define htons(value) __builtin_bswap16(value)
#define htonl(value) __builtin_bswap32(value)
#else
#define htons(value) (value)
#define htonl(value) (value)
#endif
#define ntohs(value) htons(value)

#endif

/* From here on the compiler knows nothing of a variable's value.  As in <bpf/bpf_helpers.h>. */
#ifndef barrier_var
#define barrier_var(variable) asm volatile("" : "+r"(variable))
#endif

/* A line for /sys/kernel/tracing/trace_pipe, which cat reads.  As in <bpf/bpf_helpers.h>. */
#undef bpf_printk
#define bpf_printk(text, ...)                                             \
	({                                                                \
		char line[] = text;                                       \
		((int (*)(const char *, int, ...))BPF_FUNC_trace_printk)( \
			line, sizeof(line), ##__VA_ARGS__);               \
	})

/* Of linux/in.h, which would more than double the time that BCC compiles. */
#define IPPROTO_ICMP 1

#endif
