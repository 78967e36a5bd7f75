#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct flow {
	__u32 source;
	__u8 protocol;
};

union work { /* the header first, and then in its place the key that is made of it */
	struct iphdr ip;
	struct flow flow;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct flow);
	__type(value, __u64);
} flows SEC(".maps");

SEC("xdp")
int by_flow(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;

	union work work = {.ip = *ip};
	__u32 source = work.ip.saddr;
	__u8 protocol = work.ip.protocol;

	work.flow.source = source;
	work.flow.protocol = protocol;

	__u64 none = 0, *count;
	bpf_map_update_elem(&flows, &work.flow, &none, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&flows, &work.flow);
	if (count)
		__sync_fetch_and_add(count, 1);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
