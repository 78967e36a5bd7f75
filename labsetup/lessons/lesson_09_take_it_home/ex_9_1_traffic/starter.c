#include "xdp.h"

struct datarec {
	u64 packets, bytes;
};

BPF_PERCPU_ARRAY(protocols, struct datarec, 256);

int traffic(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > data_end || eth->h_proto != htons(ETH_P_IP))
		return XDP_PASS;
	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > data_end)
		return XDP_PASS;

	int key = ip->protocol;
	struct datarec *rec = protocols.lookup(&key);
	if (rec) {
		rec->packets += 1;
		rec->bytes += data_end - data;
	}
	return XDP_PASS;
}
