"""Programs that leave the lab: libbpf's C that clang builds alone and anybody's tools load."""

from __future__ import annotations

import re

import pytest
from support.elsewhere import SOURCES, why_not
from support.exported import built, loaded, run
from support.host import REPO

from labsetup import Program
from labsetup.exporting.flatten import flattened
from labsetup.exporting.folder import export

BPF = REPO / "bpf"
PROGRAMS = sorted(one.stem for one in BPF.glob("*.c") if "struct xdp_md" in one.read_text())
ANSWERS = sorted(
    path
    for path in (REPO / "labsetup" / "lessons").rglob("*.c")
    if path.name != "starter.c" and "template" not in path.parts
)


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
    for mode in ("native", "skb"):
        ran = net.server.run(["xdp-loader", "load", "-m", mode, where, str(file)])
        if ran.status and "freplace" in ran:
            pytest.skip(f"this kernel refuses xdp-loader's dispatcher: {ran.output[-200:]}")
        assert ran.status == 0, ran
        assert name[:15] in net.server.run(f"xdp-loader status {where}")
        assert net.server.run(f"xdp-loader unload {where} --all").status == 0
    with net.server.inside():
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


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
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
