"""What Tab and Shift+Tab offer in cells of C, and in strings that name a thing of the lab."""

from __future__ import annotations

import os
import statistics

import pytest
from support.kernels import Kernel

from labsetup.editor.clang import meanings, words_at
from labsetup.editor.offers import complete, describe

CELL = """%%xdp mine
#include "parse.h"

struct flow {
	u32 from;
	u16 port;
};
BPF_HASH(seen, struct flow, u64);

int mine(struct xdp_md *ctx)
{
	struct packet packet;
	struct flow flow = {};
	u64 *count = seen.lookup(&flow);
	@
	return XDP_PASS;
}
"""


def offered(line: str, cell: str = CELL) -> list[str]:
    """The names at a cursor that stands behind *line* in the cell."""
    cursor = cell.index("@") + len(line)
    found = complete(cell.replace("@", line), cursor)
    return [word.name for word in found.words] if found else []


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("ctx->", {"data", "data_end", "ingress_ifindex", "rx_queue_index"}),
        ("ctx->data_", {"data_end", "data_meta"}),
        ("return XDP_", {"XDP_PASS", "XDP_DROP", "XDP_TX", "XDP_REDIRECT", "XDP_ABORTED"}),
        ("flow.", {"from", "port"}),
        ("flow.po", {"port"}),
        ("packet.", {"eth", "ip", "l4", "protocol"}),
        ("packet.ip->", {"saddr", "daddr", "ttl", "protocol"}),
        ("struct ethhdr *eth; eth->h_", {"h_dest", "h_source", "h_proto"}),
        ("seen.", {"lookup", "update", "insert", "delete", "lookup_or_try_init"}),
        ("bpf_ktime", {"bpf_ktime_get_ns"}),
        ("bpf_xdp_adjust_", {"bpf_xdp_adjust_head", "bpf_xdp_adjust_tail"}),
        ("cou", {"count"}),
        ("if (pars", {"parse"}),
        ("u16 kind = htons(ETH_P_I", {"ETH_P_IP", "ETH_P_IPV6"}),
    ],
)
def test_a_cell_of_c(line, names):
    assert names <= set(offered(line))


@pytest.mark.parametrize("line", ["ctx->data_", "flow.po", "seen.look", "return XDP_"])
def test_nothing_else_is_offered_there(line):
    typed = line.replace(">", " ").replace(".", " ").split()[-1]
    assert all(name.startswith(typed) for name in offered(line))


def test_without_a_letter_only_what_the_course_knows():
    names = offered("")
    assert {"count", "flow", "packet", "ctx", "XDP_DROP", "bpf_redirect"} <= set(names)
    assert len(names) < 250 and not [name for name in names if name.startswith("_")]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ('Program("lb_', {"lb_modulo", "lb_rendezvous", "lb_table"}),
        ("Program('", {"xdp_pass", "xdp_drop"}),
        ('Balancer(net, "lb_t', {"lb_table"}),
        ('check("3.', {"3.1", "3.2", "3.3", "3.4"}),
        ('hint("7', {"7.1", "7.6"}),
        ("%%xdp mine --check 2.", {"2.1", "2.2"}),
    ],
)
def test_names_of_the_lab(line, names):
    assert names <= set(offered(line, "@"))


def test_headers_of_the_lab():
    assert offered('#include "pars', "%%xdp mine\n@\n") == ["parse.h", "parse_ip.h"]


def test_python_answers_for_python():
    for code in ("net.", "print(", "%%xdp", "Programs('", 'x = "lb_'):
        assert complete(code, len(code)) is None
        assert describe(code, len(code)) is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("return XDP_TX", ["Send the packet back out"]),
        ("ctx->data_end", ["__u32 data_end", "One past the packet's last byte"]),
        ("bpf_xdp_adjust_head(", ["long bpf_xdp_adjust_head(struct xdp_md *ctx", "anew"]),
        ("seen.lookup(", ["u64 *lookup(struct flow *)", "or NULL"]),
        ("flow.port", ["u16 port"]),
        ("htons", ["byte order"]),
    ],
)
def test_what_a_name_means(line, words):
    said = describe(CELL.replace("@", line), CELL.index("@") + len(line))
    assert said and all(word in said for word in words)


def test_a_name_that_nobody_knows():
    assert describe(CELL.replace("@", "nobody"), CELL.index("@") + 3) is None


@pytest.mark.parametrize("source", ["", "\n", "int f(", "\x00\xff", "/*", '#include "', "é" * 500])
def test_odd_cells_are_no_error(source):
    for cursor in {len("%%xdp x\n"), len("%%xdp x\n" + source)}:
        complete("%%xdp x\n" + source, cursor)
        describe("%%xdp x\n" + source, cursor)


def test_each_word_that_is_explained_is_offered():
    known = {word.name for word in words_at("int f(struct xdp_md *ctx)\n{\n\t", 3, 2)}
    known |= {word.name for word in words_at("int f(struct xdp_md *ctx)\n{\n\tctx->", 3, 7)}
    for made in (
        "BPF_HASH(m)",
        "BPF_DEVMAP(m, 1)",
        "BPF_PROG_ARRAY(m, 1)",
        "BPF_PERF_OUTPUT(m)",
        "BPF_RINGBUF_OUTPUT(m, 1)",
    ):
        known |= {word.name for word in words_at(f"{made};\nint f()\n{{\n\tm.", 4, 4)}
    known |= {word.name for word in words_at('#include "headers.h"\nint f()\n{\n\t', 4, 2)}
    known |= {word.name for word in words_at("int f(struct ", 1, 14)}
    libbpfs = "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n#include <bpf/bpf_endian.h>\n"
    known |= {word.name for word in words_at(f"{libbpfs}int f()\n{{\n\t", 6, 2)}
    assert not set(meanings()) - known


def test_libbpfs_c_is_offered_libbpfs_words():
    source = "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\nint f()\n{\n\tbpf_map_"
    words = {word.name: word for word in words_at(source, 5, 2)}
    assert "const void *" in words["bpf_map_lookup_elem"].declared
    assert "NULL" in words["bpf_map_lookup_elem"].meaning
    assert "BPF_HASH" not in words  # it is BCC's


def test_it_is_quick():
    """Half of what a reader may wait for, who sees the names 150 ms after the key.

    In seconds of a CPU, of which others leave less or more.
    """
    taken = []
    for _ in range(9):
        begun = os.times()
        assert offered("ctx->")
        ended = os.times()
        taken.append(sum(ended[:4]) - sum(begun[:4]))
    assert statistics.median(taken) < 0.1


def test_a_kernel_offers_what_a_thing_has():
    kernel = Kernel()
    try:
        kernel.run("from labsetup import *\nnet = two_hosts()\ncounter = Program('icmp_count')")
        hosts = kernel.completed("net.")
        assert {"client", "server"} <= hosts.keys() and "<unknown>" not in hosts.values()
        assert list(kernel.completed("counter['")) == ["icmp_packets"]
        assert "icmp_count" in kernel.completed("Program('")
    finally:
        kernel.close()
