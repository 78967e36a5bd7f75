"""BCC's C becomes libbpf's: all of its dialect, and what cannot be said otherwise is named."""

from __future__ import annotations

import pytest
from support.corpus import corpus
from support.differing import differences
from support.exported import built, loaded, run
from support.host import REPO

from labsetup import Program
from labsetup.exporting.flatten import flattened
from labsetup.exporting.folder import export
from labsetup.exporting.headers import BASE, MENDED, SHORT, place_of
from labsetup.exporting.headers import items_of as items
from labsetup.exporting.tokens import Untranslatable, joined, tokens
from labsetup.exporting.translate import to_libbpf

BPF = REPO / "bpf"
ANSWERS = sorted((REPO / "labsetup" / "lessons").rglob("solution.c"))
PROGRAMS = sorted(one.stem for one in BPF.glob("*.c") if "struct xdp_md" in one.read_text())


def source_of(name: str) -> str:
    return (BPF / f"{name}.c").read_text()


def test_every_definition_of_the_first_header_has_another_place():
    """It is left out as a whole, so each name in it must come from elsewhere."""
    elsewhere = {"barrier_var", "bpf_printk", "SEC", "__always_inline", "XDP_LAB_XDP_H"}
    elsewhere |= {"_LINUX_TYPES_H", "htons", "htonl", "ntohs"}
    elsewhere |= {
        "unsigned",
        "signed",
        "char",
        "short",
        "int",
        "long",
        "_Bool",
    }  # words of a typedef
    for item in items(tokens((BPF / BASE).read_text())):
        for name in item.names - elsewhere:
            known = place_of(name) or name in SHORT or name.startswith("__")
            assert known, name


# Each of BCC's ways to declare a map for XDP, and to use it.
EVERYTHING = """
#include "xdp.h"
#define ENTRIES (1 << 4) /* a remark with "quotes" and an unfinished ' */
#define COUNTER(name) BPF_ARRAY(name, u64, ENTRIES)
#define DECLARED(tag) struct tag { u32 length; \\
	u32 address; }
DECLARED(prefix);
BPF_HASH(by_default);
BPF_HASH(sizes, u32, u64, ENTRIES); // "not a text
BPF_PERCPU_HASH(each, u32, u64, 8);
BPF_TABLE("lru_hash", u32, u64, recent, 64);
BPF_TABLE("lru_percpu_hash", u32, u64, recent_each, 64);
BPF_F_TABLE("hash", u32, u64, growing, 64, BPF_F_NO_PREALLOC);
BPF_LPM_TRIE(nets, struct prefix, u64, 8);
BPF_HISTOGRAM(lengths);
BPF_HISTOGRAM(keyed, u64, 32);
COUNTER(counters);
BPF_PERCPU_ARRAY(percpu, u64, 4);
BPF_QUEUE(line, u32, 8);
BPF_STACK(pile, u32, 8);
BPF_ARRAY(inner, u64, 4);
BPF_ARRAY_OF_MAPS(outer, "inner", 2);
BPF_HASH_OF_MAPS(named, u32, "inner", 2);
BPF_PROG_ARRAY(jumps, 3);
BPF_DEVMAP(ports, 2);
BPF_CPUMAP(processors, 2);
BPF_XSKMAP(sockets, 2);
BPF_RINGBUF_OUTPUT(ring, 8);
BPF_PERF_OUTPUT(events);

static int twice(int x) { return 2 * x; } /* inlined, as with BCC */

int everything(struct xdp_md *ctx)
{
	u32 length = ctx->data_end - ctx->data, taken = 0, few = length % 16;
	u64 zero = 0, one = 1, many = (u64)length;
	int index = (int)(length % 20);
	struct prefix prefix = {32, htonl(length)};

	by_default.increment(many); by_default.increment(many, twice(2));
	sizes.atomic_increment(few);
	sizes.atomic_increment(few, ((3)));
	each.increment(few); /* BCC 0.26 makes no entry here: increment(x) */
	recent.increment(few);
	each.update(&few, &one);
	each.increment(few, 2);
	recent_each.insert(&few, &many);
	recent_each.insert(&few, &one);
	(*growing.lookup_or_init(&few, &zero)) += 5;
	u64 *place = recent.lookup_or_try_init(&few, &one);
	if (place)
		*place += many;
	nets.update(&prefix, &many);
	lengths.increment(index);
	keyed.increment(length % 8);
	counters.increment(index);
	counters.atomic_increment(index, 2);
	percpu.increment(length % 8, 7);
	if (length % 3 == 0)
		sizes.delete(&few);
	line.push(&few, BPF_EXIST);
	if (line.peek(&taken) == 0 && taken % 2)
		line.pop(&taken);
	pile.push(&taken, 0);
	if (few == 7)
		pile.pop(&taken);
	void *in = outer.lookup(&index);
	if (in)
		bpf_map_update_elem(in, &index, &one, BPF_ANY);
	struct { u32 length, few; } *record = ring.ringbuf_reserve(sizeof(*record));
	if (record) {
		record->length = length;
		if (few % 2)
			ring.ringbuf_submit(record, 0);
		else
			ring.ringbuf_discard(record, 0);
	}
	ring.ringbuf_output(&few, sizeof(few), 0);
	events.perf_submit(ctx, &few, sizeof(few));
	events.perf_submit_skb(ctx, length, &few, sizeof(few));
	bpf_trace_printk("%d, in the lab's \\"test\\"", 0);
	jumps.call(ctx, few);
	if (few == 1)
		return ports.redirect_map(few, XDP_DROP);
	if (few == 2)
		return processors.redirect_map(few, 0);
	if (few == 3 && sockets.lookup(&index))
		return sockets.redirect_map(index, XDP_TX);
	return sizes.lookup(&few) ? XDP_PASS : XDP_DROP;
}
"""


def test_all_of_bccs_dialect_is_translated(tmp_path):
    with loaded(built("everything", EVERYTHING, tmp_path)) as there:
        original = Program("everything", EVERYTHING)
        frames = [bytes(size) for size in (*range(14, 400), *range(300, 100, -1), *range(14, 60))]
        assert not differences(original, there, frames)
        texts = {name for name in there.maps if name.endswith("rodata")}  # of bpf_printk()
        assert {*there.maps} - texts == {*original.maps}
        assert sum(original["by_default"].values()) == 5 * len(frames)
        assert sum(value.sum for value in original["each"].values()) > 0


# As programs for BCC are written elsewhere, with the kernel's headers and names.
ELSEWHERE = """
#define KBUILD_MODNAME "elsewhere"
#include <uapi/linux/bpf.h>
#include <linux/in.h>
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <uapi/linux/icmp.h>
#include <linux/ip.h>

/* by protocol */
BPF_TABLE("percpu_array", uint32_t, long, seen, 256);

static inline int protocol_of(void *data, u64 offset, void *data_end)
{
	struct iphdr *ip = data + offset;

	if ((void *)&ip[1] > data_end)
		return 0;
	return ip->protocol;
}

int elsewhere(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end, *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;
	uint32_t index = 0;
	uint64_t offset = sizeof(*eth);

	if (data + offset > data_end)
		return XDP_DROP;
	uint16_t proto = eth->h_proto;
	if (proto == htons(ETH_P_8021Q)) {
		struct vlan_hdr *tag = data + offset;
		offset += sizeof(struct vlan_hdr);
		if (data + offset > data_end)
			return XDP_DROP;
		proto = tag->h_vlan_encapsulated_proto;
	}
	if (proto == __constant_htons(ETH_P_IP))
		index = protocol_of(data, offset, data_end);
	struct icmphdr none;
	memset(&none, 0, sizeof(none));
	long *count = seen.lookup(&index);
	if (count)
		lock_xadd(count, 1 + none.code);
	return index == IPPROTO_ICMP && none.type != ICMP_ECHO ? XDP_DROP : XDP_PASS;
}
"""


def test_what_was_written_elsewhere_is_exported(tmp_path):
    folder = tmp_path / "out"
    made = export("elsewhere", ELSEWHERE, folder)
    assert made.ok and not made.said, made.said
    run("make", "-C", folder)
    text = (folder / "elsewhere.bpf.c").read_text()
    assert text.index("/* by protocol */\nstruct {") > text.index("#include")
    with loaded(folder / "elsewhere.bpf.o") as there:
        assert not differences(Program("elsewhere", ELSEWHERE), there, corpus())


def test_remarks_that_are_mended_are_there():
    headers = "".join(one.read_text() for one in BPF.glob("*.h"))
    assert not [one for one in MENDED if one not in headers]


def test_what_is_not_c_is_left_alone():
    source = (
        "/* BPF_HASH(no); a.lookup(&k) */\n// BPF_HASH(no2); \\\nstill a.lookup(&k)\n"
        'char text[] = "BPF_HASH(no3); a.lookup(&k) \\" */";\nchar c = \'"\';\n'
    )
    assert to_libbpf(source) == source
    for path in (*BPF.iterdir(), *ANSWERS):
        assert joined(tokens(path.read_text())) == path.read_text()
    unfinished = "/* no end"
    assert joined(tokens(unfinished)) == unfinished
    assert joined(tokens('#define A "no end\nint x;')) == '#define A "no end\nint x;'


def test_formatting_and_remarks_stay():
    source = (
        "BPF_HASH(m, u32);   /* of all */\n\nint f(struct xdp_md *ctx)   // here\n{\n"
        "  return !m.lookup( &k /* its key */ );\n}\n"
    )
    assert to_libbpf(source) == (
        "struct {\n\t__uint(type, BPF_MAP_TYPE_HASH);\n\t__uint(max_entries, 10240);\n"
        '\t__type(key, u32);\n\t__type(value, u64);\n} m SEC(".maps");   /* of all */\n\n'
        'SEC("xdp")\nint f(struct xdp_md *ctx)   // here\n{\n'
        "  return !bpf_map_lookup_elem(&m, &k /* its key */);\n}\n"
    )


def test_a_source_of_libbpfs_only_gets_what_it_lacks(tmp_path):
    source = """
#include <linux/bpf.h>
#include "parse.h"
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1);
	__type(key, int); __type(value, __u64); } seen SEC(".maps");
static __noinline int none(void) { return XDP_PASS; }
SEC("xdp.frags")
int mine(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	return pkt.ip ? XDP_DROP : none();
}
"""
    text = flattened(source, "mine").text
    kept = source[source.index("struct {") :]
    assert kept.strip() in text
    assert "From bpf/parse.h" in text
    assert text.count('SEC("license")') == 1
    with loaded(built("mine", source, tmp_path)):
        pass
    alone = flattened(f'{kept}\nchar mine2[] SEC("license") = "Dual MIT/GPL";\n', "mine").text
    assert "struct packet {" not in alone
    assert alone.count('SEC("license")') == 1


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('BPF_TABLE_PINNED("array", u32, u64, kept, 1, "/sys/fs/bpf/x");', "bpftool map pin"),
        ("BPF_STACK_TRACE(traces, 4);", "no XDP program reads or writes such a map"),
        ('BPF_TABLE("hash:/x", u32, u64, kept, 1);', "names no path"),
        ('BPF_TABLE("sorted", u32, u64, kept, 1);', 'no use for a map of the kind "sorted"'),
        ("BPF_DEVMAP(ports);", "BPF_DEVMAP takes 2 arguments, not 1"),
        ('BPF_ARRAY_OF_MAPS(outer, "inner", 2);', "no map inner is declared above it"),
        ("int no(void) { return nobody.lookup(0); }", "no map nobody is declared above it"),
        ("BPF_HASH(m); void no(void) { m.update(&m); }", "update() takes 2 arguments, not 1"),
        ("BPF_HASH(m); void no(void) { m.get_stackid(&m, 0); }", "no XDP program can call"),
        ('#include "/etc/shadow"', "it is a file of yours"),
        ('#include "mine.h"', "it is a file of yours"),
        ("TRACEPOINT_PROBE(xdp, xdp_exception) { return 0; }", "at a tracepoint and not on a"),
        ("BPF_HASH(open, u32", "the bracket that it opens is never closed"),
        ("BPF_HASH(1x);", "1x is no name of a map"),
        (f"BPF_HASH(m); int x = {'m.lookup(' * 999}0{')' * 999};", "calls stand in calls too"),
    ],
)
def test_what_cannot_be_translated_names_its_line(line, sentence, tmp_path):
    source = f'#include "xdp.h"\n\n{line}\nint f(struct xdp_md *ctx) {{ return XDP_PASS; }}\n'
    with pytest.raises(Untranslatable) as caught:
        flattened(source, "f")
    assert caught.value.line == 3
    assert str(caught.value).startswith(f"line 3, «{line[:40]}")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
