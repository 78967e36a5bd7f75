"""What clang takes and nobody means is told at its line; what is meant, is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.host import REPO

from labsetup import Program
from labsetup.explaining import meant
from labsetup.explaining.listing import Listing

WHOLE = """
#include "headers.h"

int meant(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	u8 *byte = data;
	if ((void *)(udp + 1) > data_end)
		return XDP_PASS;
	LINE
	return XDP_PASS;
}
"""
TOLD = {
    "if (eth->h_proto == ETH_P_IP) return XDP_DROP;": "ETH_P_IP is not: htons(ETH_P_IP)",
    "if (eth->h_proto != ETH_P_IPV6) return XDP_DROP;": "h_proto is in network byte order",
    "switch (eth->h_proto) { case ETH_P_ARP: return XDP_DROP; }": "htons(ETH_P_ARP)",
    "if (udp->dest == 53) return XDP_DROP;": "dest is in network byte order, and 53 is not",
    "if (udp->source != 8080) return XDP_DROP;": "htons(8080)",
    "switch (udp->dest) { case 53: return XDP_DROP; }": "htons(53)",
    "if (ip->frag_off & 0x1fff) return XDP_DROP;": "htons(0x1fff)",
    "ip = (void *)(eth + sizeof(*eth)); barrier_var(ip);": "write (void *)(eth + 1)",
    "ip = (struct iphdr *)(eth + sizeof(struct ethhdr)); barrier_var(ip);": "structs, not bytes",
    "bpf_redirect(3, 0);": "which is lost here: write return bpf_redirect(…)",
    "if (ip->ttl == 1) bpf_redirect(3, 0);": "it gives a verdict",
    "ports.redirect_map(3, 0);": "write return ports.redirect_map(…)",
}
MEANT = [
    "if (eth->h_proto == htons(ETH_P_IP)) return XDP_DROP;",
    "if (ntohs(eth->h_proto) == ETH_P_IP) return XDP_DROP;",
    "if (eth->h_proto == 8) return XDP_DROP;",
    "if (udp->dest == htons(53)) return XDP_DROP;",
    "if (udp->dest == 13568) return XDP_DROP;",
    "if (udp->dest == 53 << 8) return XDP_DROP;",
    "if (udp->dest == 0) return XDP_DROP;",
    "if (ip->frag_off & htons(0x1fff)) return XDP_DROP;",
    "if (ip->frag_off & 0xff1f) return XDP_DROP;",
    "ip = (void *)eth + sizeof(*eth); barrier_var(ip);",
    "ip = data + sizeof(*eth); barrier_var(ip);",
    "byte = byte + sizeof(*byte); barrier_var(byte);",
    "return bpf_redirect(3, 0);",
    "if (ip->ttl == 1) return bpf_redirect(3, 0);",
    "int verdict = bpf_redirect(3, 0); return verdict;",
    "if (bpf_redirect(3, 0) != XDP_REDIRECT) return XDP_DROP;",
    "/* eth->h_proto == ETH_P_IP */",
]


def warnings(line: str) -> list[str]:
    listing = Listing(WHOLE.replace("LINE", line), "meant", "")
    return [str(one) for one in meant.warnings(listing)]


@pytest.mark.parametrize("line", TOLD)
def test_what_nobody_means(line):
    [one] = warnings(line)
    assert f"line 14, «{line}»: " in one
    assert TOLD[line] in one


@pytest.mark.parametrize("line", MEANT)
def test_what_is_meant(line):
    assert warnings(line) == []


def test_it_stands_under_the_program():
    line = next(iter(TOLD))
    [one] = Program("meant", WHOLE.replace("LINE", line)).warnings
    assert TOLD[line] in one


@pytest.mark.parametrize("path", [*sorted((REPO / "bpf").glob("*.[ch]"))], ids=lambda x: x.name)
def test_the_lab_s_own_c_means_what_it_says(path: Path):
    assert [*meant.warnings(Listing(path.read_text(), "", ""))] == []


@pytest.mark.parametrize("path", [*(REPO / "tests/elsewhere").glob("*.c")], ids=lambda x: x.name)
def test_what_others_wrote_means_what_it_says(path: Path):
    assert [*meant.warnings(Listing(path.read_text(), "", ""))] == []
