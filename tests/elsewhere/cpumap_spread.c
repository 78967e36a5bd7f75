/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As xdp-bench of xdp-tools: a CPU map, and a list of the CPUs that are in use.
 * An IPv4 packet goes on on a CPU that its addresses choose; where none is set it is dropped. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define MAX_CPUS 64

struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct bpf_cpumap_val));
	__uint(max_entries, MAX_CPUS);
} cpu_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, MAX_CPUS);
} cpus_available SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 1);
} cpus_count SEC(".maps");

SEC("xdp")
int cpumap_l4_hash(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;
	struct iphdr *iph = (void *)(eth + 1);
	__u32 key = 0, cpu_idx, *cpu_selected, *cpu_max;

	if ((void *)(iph + 1) > data_end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;

	cpu_max = bpf_map_lookup_elem(&cpus_count, &key);
	if (!cpu_max || !*cpu_max)
		return XDP_DROP;

	cpu_idx = (iph->saddr ^ iph->daddr) % *cpu_max;
	cpu_selected = bpf_map_lookup_elem(&cpus_available, &cpu_idx);
	if (!cpu_selected || *cpu_selected >= MAX_CPUS)
		return XDP_ABORTED;

	return bpf_redirect_map(&cpu_map, *cpu_selected, 0);
}

char _license[] SEC("license") = "GPL";
