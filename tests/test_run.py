"""Programs run on packets: how they are found, what is refused, what a run tells."""

from __future__ import annotations

import re

import pytest
from support.pictures import drawn, svg

from labsetup import ICMP, IP, Ether, LabError, Program
from labsetup.programs.build import BuildError


def test_c_without_a_function_for_xdp():
    with pytest.raises(BuildError, match="has no function that XDP can call"):
        Program("bad", "static int bad(struct xdp_md *ctx) { return XDP_PASS; }")


def test_a_program_is_found_by_name_or_path(tmp_path):
    path = tmp_path / "mine.c"
    path.write_text("int mine(struct xdp_md *ctx) { return XDP_TX; }")
    assert Program(path).run(b"\0" * 64).verdict == "XDP_TX"
    with pytest.raises(LabError, match=r"bpf/ has no program 'xdp_dorp'; it has: .*xdp_drop"):
        Program("xdp_dorp")
    with pytest.raises(LabError, match="there is no file"):
        Program(tmp_path / "other.c")
    with pytest.raises(LabError, match="has no map 'x'; its maps: none"):
        Program("xdp_pass")["x"]


@pytest.mark.parametrize("size", [0, 13, 100_000])
def test_a_frame_that_the_kernel_does_not_take(loaded, size):
    with pytest.raises(LabError, match=f"a frame of {size} bytes"):
        loaded["xdp_pass"].run(b"\0" * size)


def test_cpus_and_repeats_that_there_are_not(loaded):
    with pytest.raises(LabError, match="there is no CPU 4096"):
        loaded["xdp_pass"].run(b"\0" * 64, cpus=[4096])
    with pytest.raises(LabError, match="a whole number"):
        loaded["xdp_pass"].run(b"\0" * 64, repeat=1e6)


def test_a_verdict_that_is_none():
    seven = Program("seven", "int seven(struct xdp_md *ctx) { return 7; }")
    assert seven.run(b"\0" * 64).verdict.startswith("7, which is no verdict: the kernel treats")


def test_changes_are_named_by_field():
    source = """
    int ttl(struct xdp_md *ctx) {
        unsigned char *p = (void *)(long)ctx->data;
        if ((void *)(p + 34) > (void *)(long)ctx->data_end) return XDP_PASS;
        p[22]--;
        return XDP_TX;
    }"""
    run = Program("ttl", source).run(Ether() / IP(ttl=64) / ICMP())
    assert [repr(field) for field in run.changes] == [
        "IP ttl: 64 → 63",
        "IP chksum: 0xf6dc (right) → 0xf6dc (wrong)",
    ]
    for words in (
        "ttl: XDP_TX, 42 bytes\n",
        "ttl=64 → 63",
        "chksum=0xf6dc (right) → 0xf6dc (wrong)",
    ):
        assert words in repr(run)
    assert re.search(r"font-weight:600[^>]*>64 → 63<", svg(drawn(run)))


def test_size_is_what_the_kernel_says(loaded):
    assert loaded["xdp_pass"].size.instructions == 2
    assert loaded["icmp_count"].size.instructions > 20
