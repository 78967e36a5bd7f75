/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As SYN proxies on XDP: a SYN is answered with a cookie, and who brings it back is let in.
 * TCP to `port`: a SYN goes back as SYN-ACK, a right ACK is dropped and its source passes from then. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

const volatile __u16 port = 80;
const volatile __u32 secret = 0x5eed5eed;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, __be32);
	__type(value, __u64);
	__uint(max_entries, 10240);
} allowed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 3);
} counts SEC(".maps");

enum { SENT, GOOD, BAD };

static __always_inline int count(__u32 what, int verdict)
{
	__u64 *n = bpf_map_lookup_elem(&counts, &what);

	if (n)
		__sync_fetch_and_add(n, 1);
	return verdict;
}

static __always_inline __u32 cookie(struct iphdr *ip, __be16 source, __be16 dest)
{
	__u32 h = secret ^ ip->saddr;

	h = (h ^ (h >> 16)) * 0x85ebca6b;
	h ^= ip->daddr ^ ((__u32)source << 16 | dest);
	h = (h ^ (h >> 13)) * 0xc2b2ae35;
	return h ^ (h >> 16);
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

static __always_inline int syn_ack(struct ethhdr *eth, struct iphdr *ip, struct tcphdr *tcp)
{
	__u32 seq = cookie(ip, tcp->source, tcp->dest);
	__be32 addr = ip->saddr;
	__be16 source = tcp->source;
	__u8 mac[ETH_ALEN];
	__u64 sum;

	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);

	/* the addresses change places, which leaves the sum over them as it was */
	ip->saddr = ip->daddr;
	ip->daddr = addr;
	tcp->source = tcp->dest;
	tcp->dest = source;

	tcp->ack_seq = bpf_htonl(bpf_ntohl(tcp->seq) + 1);
	tcp->seq = bpf_htonl(seq);
	tcp->ack = 1;
	tcp->check = 0;

	sum = (__u64)ip->saddr + ip->daddr + bpf_htons(IPPROTO_TCP) + bpf_htons(sizeof(*tcp));
	tcp->check = fold(bpf_csum_diff(0, 0, (__be32 *)tcp, sizeof(*tcp), 0) + sum);
	return count(SENT, XDP_TX);
}

SEC("xdp")
int syn_proxy(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	__be32 saddr;
	__u64 now;

	if ((void *)(tcp + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->ihl != 5 || ip->protocol != IPPROTO_TCP || tcp->dest != bpf_htons(port))
		return XDP_PASS;

	saddr = ip->saddr;
	if (bpf_map_lookup_elem(&allowed, &saddr))
		return XDP_PASS;

	if (tcp->syn && !tcp->ack)
		/* options would have to be answered too, so a SYN with any is not for us */
		return tcp->doff == 5 ? syn_ack(eth, ip, tcp) : XDP_PASS;

	if (tcp->ack && bpf_ntohl(tcp->ack_seq) == cookie(ip, tcp->source, tcp->dest) + 1) {
		now = bpf_ktime_get_ns();
		bpf_map_update_elem(&allowed, &saddr, &now, BPF_ANY);
		return count(GOOD, XDP_DROP);
	}
	return count(BAD, XDP_DROP);
}

char _license[] SEC("license") = "GPL";
