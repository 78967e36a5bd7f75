#include "xdp.h"

int no_arp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	int verdict = XDP_PASS;

	if (data + sizeof(*eth) <= data_end) {
		switch (eth->h_proto) {
		case htons(ETH_P_ARP):
			verdict = XDP_DROP;
		}
	}
	return verdict;
}
