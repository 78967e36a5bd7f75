"""Programs that leave the lab: libbpf's C that clang builds alone and anybody's tools load."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from support.corpus import corpus
from support.differing import differences
from support.elsewhere import SOURCES, why_not
from support.exported import built, loaded, run
from support.host import LAB, REPO, on_host

from labsetup import LabError, Program
from labsetup.exporting import trial
from labsetup.exporting.flatten import flattened
from labsetup.exporting.folder import export
from labsetup.exporting.headers import BASE, MENDED, SHORT, place_of
from labsetup.exporting.headers import items_of as items
from labsetup.exporting.tokens import Untranslatable, joined, tokens
from labsetup.exporting.translate import to_libbpf

BPF = REPO / "bpf"
PROGRAMS = sorted(one.stem for one in BPF.glob("*.c") if "struct xdp_md" in one.read_text())
ANSWERS = sorted(
    path
    for path in (REPO / "labsetup" / "lessons").rglob("*.c")
    if path.name != "starter.c" and "template" not in path.parts
)


ELSEWHERES = SOURCES


def source_of(name: str) -> str:
    return (BPF / f"{name}.c").read_text()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_builds_and_loads(name, tmp_path):
    with loaded(built(name, source_of(name), tmp_path / name)) as there:
        shown = run("bpftool", "prog", "show", "pinned", f"/sys/fs/bpf/{name}")
        assert re.search(rf"xdp  name {name[:15]} ", shown)
        assert {*there.maps} == {*Program(name).maps, *Program(name).hidden_maps}


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: "-".join(path.parts[-3:]))
def test_an_answer_builds_and_loads(path, tmp_path):
    with loaded(built("answer", path.read_text(), tmp_path)):
        pass


@pytest.mark.parametrize("name", PROGRAMS)
def test_xdp_loader_and_ip_take_a_program(name, net, tmp_path):
    file = built(name, source_of(name), tmp_path)
    where = net.server.eth0.name
    with net.server.inside():
        for mode in ("native", "skb"):
            load = ["xdp-loader", "load", "-m", mode, where, str(file)]
            ran = subprocess.run(load, capture_output=True, text=True, check=False)
            if ran.returncode and "freplace" in ran.stderr + ran.stdout:
                pytest.skip(f"this kernel refuses xdp-loader's dispatcher: {ran.stderr[-200:]}")
            assert ran.returncode == 0, ran.stdout + ran.stderr
            assert name[:15] in run("xdp-loader", "status", where)
            run("xdp-loader", "unload", where, "--all")
        run("ip", "link", "set", "dev", where, "xdp", "obj", file, "sec", "xdp")
        assert f"name {name[:15]} " in run("ip", "-d", "link", "show", "dev", where)
        run("ip", "link", "set", "dev", where, "xdp", "off")


def test_make_builds_and_cleans(tmp_path):
    Program("lb_table").export(tmp_path)
    run("make", "-C", tmp_path)
    assert (tmp_path / "lb_table.bpf.o").read_bytes()[:4] == b"\x7fELF"
    run("make", "-C", tmp_path, "clean")
    assert {one.name for one in tmp_path.iterdir()} == {"lb_table.bpf.c", "Makefile", "README.md"}


TWO = """
BPF_HASH(seen, u32, u64);
BPF_PROG_ARRAY(next, 2);
int first(struct xdp_md *ctx) { seen.increment(1); next.call(ctx, 0); return XDP_DROP; }
int second(struct xdp_md *ctx) { return XDP_PASS; }
"""


@pytest.mark.parametrize("name", ["lb_table", "xdp_drop", "two"])
def test_what_the_readme_says_is_so(name, tmp_path, net):
    export(name, TWO if name == "two" else source_of(name), tmp_path)
    words = (tmp_path / "README.md").read_text()
    blocks = re.findall(r"^```\n(.*?)^```$", words, re.M | re.S)
    build, *ways = ["\n".join(re.findall(r"^(?:sudo )?(.*)$", one, re.M)) for one in blocks]
    assert build.splitlines()[-1] == "make"
    assert len(ways) == (3 if name == "xdp_drop" else 4)
    run("make", "-C", tmp_path)
    loading, maps = ways[:3], ways[3:]
    for one in maps:  # what reads a map comes while the program is loaded
        at = loading[1].index("bpftool prog show")
        loading[1] = f"{loading[1][:at]}{one}\n{loading[1][at:]}"
    with net.server.inside():
        for way in loading:
            assert "eth0" in way
            assert run("sh", "-c", f"cd {tmp_path} && set -e\n{way}")


def test_the_readme_tells_of_program_and_maps(tmp_path):
    export("lb_table", source_of("lb_table"), tmp_path)
    words = (tmp_path / "README.md").read_text()
    assert words.startswith("# lb_table\n\nA flow to the VIP goes to the owner of its row")
    for name, kind in (("settings", "`struct config`, 1 entry"), ("servers", "1024 entries")):
        assert re.search(rf"^\| `{name}` \| array: .*{kind} \| .+ \|$", words, re.M)
    assert "`Balancer`" in words and "`settings`, `servers`, `tables`, `active`" in words


def test_the_file_stands_alone_and_says_where_all_is_from(tmp_path):
    text = flattened(source_of("lb_table"), "lb_table").text
    assert text.startswith(
        "// SPDX-License-Identifier: GPL-2.0-or-later\n\n/*\n * A flow to the VIP"
    )
    assert text.count("SPDX") == 1
    assert text.endswith('char LICENSE[] SEC("license") = "GPL";\n')
    assert not re.search(r'#include "|uapi/|BCC_SEC|\bBPF_ARRAY\(|\.lookup\(', text)
    included = [
        path.name
        for path in BPF.glob("*.h")
        if re.search(rf"^ \* From bpf/{path.name} of XDP Lab", text, re.M)
    ]
    assert {"balance.h", "parse.h", "siphash.h"} <= {*included}
    assert "hops.h" not in included
    assert (
        "unicast_ip" not in flattened(source_of("redirect"), "r").text.split("routable_ip(")[0][:0]
    )
    assert "tcphdr" not in text


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


def test_nothing_is_overwritten(tmp_path):
    folder = tmp_path / "out"
    program = Program("xdp_pass")
    assert "next: make -C" in repr(program.export(folder))
    assert program.export(str(folder)).ok  # the same once more does no harm
    (folder / "Makefile").write_text("mine\n")
    for other in ("xdp_pass", "xdp_drop"):
        with pytest.raises(LabError, match="says something else; nothing was written: name anoth"):
            Program(other).export(folder)
    assert (folder / "Makefile").read_text() == "mine\n"
    assert not (folder / "xdp_drop.bpf.c").exists()
    for nowhere in ("/proc/nowhere", "/dev/null", f"{folder}/Makefile/below"):
        with pytest.raises(LabError, match=r"cannot be written: .*; name another folder"):
            program.export(nowhere)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "README.md").symlink_to(tmp_path / "target")
    with pytest.raises(LabError, match="is there already"):
        program.export(tmp_path / "linked")
    assert not (tmp_path / "target").exists()


def test_a_tilde_is_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    Program("xdp_pass").export("~/mine")
    assert (tmp_path / "mine" / "xdp_pass.bpf.c").exists()


def test_what_root_writes_in_a_users_folder_is_theirs(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    Program("xdp_pass").export(home / "a" / "b")
    every = [one for one in home.rglob("*")]
    assert len(every) == 5
    assert {one.stat().st_uid for one in every} == {65534}


@pytest.mark.parametrize(("what", "package"), [("CLANG", "clang"), ("HEADERS", "libbpf-dev")])
def test_where_nothing_can_be_tried_it_is_written_all_the_same(
    what, package, tmp_path, monkeypatch
):
    monkeypatch.setattr(trial, what, tmp_path / "none")
    with pytest.raises(LabError, match=rf"is written, and not tried: .*apt-get install {package}$"):
        Program("xdp_pass").export(tmp_path / "out")
    assert (tmp_path / "out" / "xdp_pass.bpf.c").exists()


def test_the_command(tmp_path):
    said = on_host(LAB, "export", "lb_table", tmp_path / "lb")
    assert said.returncode == 0, said.stderr
    assert said.stdout == (
        f"lb_table.bpf.c, Makefile, README.md in {tmp_path}/lb; clang alone compiles it.\n"
        f"next: make -C {tmp_path}/lb\n"
    )
    odd = tmp_path / "my prog;1.c"
    odd.write_text("int count(struct xdp_md *ctx) { return XDP_DROP; }\n")
    said = on_host(LAB, "export", odd, tmp_path / "odd folder")
    assert said.returncode == 0, said.stderr
    assert f"next: make -C '{tmp_path}/odd folder'" in said.stdout
    assert (tmp_path / "odd folder" / "count.bpf.c").exists()


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (None, "there is no file"),
        ("int x;", "none has no function that XDP can call; write one that begins int none("),
        ("int f(struct xdp_md *ctx) { return y; }", "error: use of undeclared identifier 'y'"),
        ("BPF_STACK_TRACE(t, 1);", "line 1, «BPF_STACK_TRACE(t, 1);», cannot be exported"),
    ],
)
def test_what_the_command_cannot_do(source, sentence, tmp_path):
    path = tmp_path / "none.c"
    if source is not None:
        path.write_text(source)
    said = on_host(LAB, "export", path, tmp_path / "out")
    assert said.returncode == 1
    assert sentence in said.stdout + said.stderr
    assert "Traceback" not in said.stderr


def test_the_commands_usage(tmp_path):
    assert on_host(LAB, "export").returncode == 2
    said = on_host(LAB, "export", "nonsense", tmp_path)
    assert said.returncode == 1
    assert "bpf/ has no program 'nonsense'; it has: " in said.stderr
    for name in ("exceptions", "redirect_err", "devmap_xmit", "printed"):
        said = on_host(LAB, "export", name, tmp_path)
        assert "at a tracepoint and not on a packet" in said.stderr
    said = on_host(LAB, "export", "xdp_pass", "/proc/x")
    assert "/proc/x cannot be written" in said.stderr


def test_strangers_c_reads_nothing(tmp_path):
    source = '#define THAT "/etc/passwd"\n#include THAT\nint f(struct xdp_md *ctx) { return 1; }\n'
    made = export("f", source, Path(tmp_path))
    assert not made.ok
    assert "'/etc/passwd' file not found" in made.said


@pytest.mark.parametrize("path", ELSEWHERES, ids=lambda path: path.stem)
def test_libbpfs_c_stays_as_it_was_written(path, tmp_path):
    """Programs as others write them: word by word, but for a licence and headers of bpf/."""
    if why := why_not(path.stem):
        pytest.skip(why)
    source = path.read_text()
    made = export(path.stem, source, tmp_path)
    assert made.ok, made.said
    text = (tmp_path / f"{path.stem}.bpf.c").read_text()
    assert not re.search(r'#include "(?!vmlinux)', text)
    if not re.search(r'#include "(?!vmlinux)', source):
        assert source.rstrip() in text
        assert len(text.splitlines()) - len(source.splitlines()) <= 3
    run("make", "-C", tmp_path)
    words = (tmp_path / "README.md").read_text()
    loading = re.findall(r"^sudo (bpftool prog load.*)$|^sudo (rm -r.*)$", words, re.M)
    run("sh", "-c", f"cd {tmp_path} && set -e\n" + "\n".join(map("".join, loading)))
