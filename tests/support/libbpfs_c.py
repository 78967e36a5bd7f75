"""C as everybody else writes it, for the tests that have it compiled."""

from __future__ import annotations

from labsetup import ICMP, IP, Ether, Program

HEAD = """#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
"""
TAIL = 'char LICENSE[] SEC("license") = "GPL";\n'
COUNTS = """
struct datarec {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct datarec);
} counts SEC(".maps");

SEC("xdp")
int counted(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct datarec *rec = bpf_map_lookup_elem(&counts, &key);

	if (!rec)
		return XDP_ABORTED;
	rec->packets++;
	rec->bytes += ctx->data_end - ctx->data;
	return XDP_PASS;
}
"""
PING = Ether() / IP() / ICMP()


def of(body: str, name: str = "it") -> Program:
    return Program(name, HEAD + body + TAIL)
