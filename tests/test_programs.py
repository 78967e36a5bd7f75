"""Every program of bpf/: that it builds, what it decides, what it counts."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from scapy.layers.inet6 import (
    IPv6ExtHdrHopByHop,
)
from support.models_balance import VIP, VIP6
from support.verdicts import (
    DROP,
    FAR6,
    ICMP_PACKETS,
    PACKETS,
    PASS,
    PING6,
    QUERY,
    REDIRECT,
    TX,
    VERDICTS,
    WAY6,
    XDP_SOURCES,
)

from labsetup import ICMP, IP, TCP, UDP, Dot1Q, Ether, IPv6, LabError, Program, Raw
from labsetup.maps.maps import BCC_NAMES as MAP_NAMES
from labsetup.packets.craft import frame
from labsetup.programs.program import BCC_NAMES as PROGRAM_NAMES
from labsetup.programs.sources import SOURCES


def test_every_program_has_its_verdicts_here():
    assert {path.stem for path in XDP_SOURCES} == set(VERDICTS)


@pytest.mark.parametrize("name", VERDICTS)
@pytest.mark.parametrize("kind", PACKETS)
def test_verdict(loaded, name, kind):
    verdict, kinds, otherwise = VERDICTS[name]
    run = loaded[name].run(PACKETS[kind])
    assert run.verdict == (verdict if kind in kinds else otherwise)
    if run.verdict not in (TX, REDIRECT):
        assert run.after == run.before


@pytest.mark.parametrize("kind", PACKETS)
def test_icmp_count_counts_icmp_and_nothing_else(loaded, kind):
    counter = loaded["icmp_count"]["icmp_packets"]
    before = counter[0].sum
    loaded["icmp_count"].run(PACKETS[kind], repeat=5)
    assert counter[0].sum - before == (5 if kind in ICMP_PACKETS else 0)


# A packet, the length of the shortest part of it that its IP header allows, and the verdict then.
CUTS = {
    "drop_icmp": (Ether() / IP() / ICMP() / Raw(b"x" * 20), 34, DROP),
    "mac_swap": (Ether() / IP() / ICMP(), 14, TX),
    "echo_reply": (Ether() / Dot1Q() / IP() / ICMP() / Raw(b"x" * 20), 66, TX),
    "redirect": (Ether() / IPv6(dst=FAR6) / WAY6 / PING6, 86, REDIRECT),
    "dns_block": (Ether() / Dot1Q() / IPv6() / IPv6ExtHdrHopByHop() / WAY6 / QUERY, 131, DROP),
    "lb_table": (Ether() / Dot1Q() / IPv6(dst=VIP6) / IPv6ExtHdrHopByHop() / TCP(), 86, TX),
    "lb_nat": (Ether() / Dot1Q() / IP(dst=VIP, len=40) / TCP(sport=40001), 58, TX),
    "second_chance": (Ether() / Dot1Q() / IPv6(dst=VIP6) / IPv6ExtHdrHopByHop() / TCP(), 86, TX),
    "neighbours": (
        Ether(dst="0a:00:00:01:00:04") / Dot1Q() / IPv6(dst=VIP6) / WAY6 / TCP(flags="A"),
        102,
        TX,
    ),
}


@pytest.mark.parametrize("name", CUTS)
def test_a_packet_cut_at_every_length_never_misleads(loaded, name):
    packet, enough, verdict = CUTS[name]
    whole = frame(packet)
    for length in range(14, len(whole) + 1):
        expected = verdict if length >= enough else PASS
        assert loaded[name].run(whole[:length]).verdict == expected, length


def test_what_an_answer_changes(loaded):
    run = loaded["echo_reply"].run(Ether() / IP(ttl=9) / ICMP(id=1))
    assert [repr(change) for change in run.changes] == [
        "Ether dst: 02:00:00:00:02:00 → 02:00:00:00:01:00",
        "Ether src: 02:00:00:00:01:00 → 02:00:00:00:02:00",
        "IP ttl: 9 → 64",
        "IP chksum: 0x2ddd (right) → 0xf6dc (right)",
        "IP src: 192.0.2.1 → 192.0.2.2",
        "IP dst: 192.0.2.2 → 192.0.2.1",
        "ICMP type: echo-request → echo-reply",
        "ICMP chksum: 0xf7fe (right) → 0xfffe (right)",
    ]


def test_what_a_router_changes(loaded):
    run = loaded["redirect"].run(Ether() / IPv6(dst=FAR6) / UDP())
    assert [repr(change) for change in run.changes] == [
        "Ether dst: 02:00:00:00:02:00 → 02:00:00:00:0a:01",
        "Ether src: 02:00:00:00:01:00 → 02:00:00:00:0a:02",
        "IPv6 hlim: 64 → 63",
    ]


def test_dns_block_counts_what_it_drops(loaded):
    blocked, key = loaded["dns_block"]["blocked"], {"text": b"\7blocked\7example"}
    before = blocked[key]
    loaded["dns_block"].run(PACKETS["blocked query"], repeat=5)
    assert blocked[key] - before == 5


@pytest.mark.parametrize(
    "path", [p for p in XDP_SOURCES if "BPF_" not in p.read_text()], ids=lambda p: p.stem
)
def test_a_program_without_maps_needs_clang_alone(path, tmp_path):
    command = ["clang", "-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-c", path, "-o"]
    built = subprocess.run([*command, tmp_path / "o"], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    pin = Path("/sys/fs/bpf/clang_alone")  # the sandbox's own
    load = ["bpftool", "prog", "load", tmp_path / "o", pin, "type", "xdp"]
    loading = subprocess.run(load, capture_output=True, text=True, check=False)
    assert loading.returncode == 0, loading.stderr
    pin.unlink()


@pytest.mark.parametrize("path", sorted(SOURCES.glob("*.[ch]")), ids=lambda p: p.name)
def test_a_source_is_short_and_says_what_it_does(path):
    text = path.read_text()
    assert re.match(r"(//|/\*) SPDX-License-Identifier: GPL-2.0-or-later", text)
    comment = re.search(r"/\*.*?\*/", text.partition("\n")[2], re.DOTALL)
    assert comment is not None
    assert comment[0].count("\n") < 5
    assert text.count("\n") <= 80


@pytest.mark.parametrize("name", sorted(PROGRAM_NAMES))
def test_a_name_of_bccs_program_leads_to_the_labs(name):
    with pytest.raises(LabError, match=re.escape(PROGRAM_NAMES[name])):
        getattr(Program("icmp_count"), name)


@pytest.mark.parametrize("name", sorted(MAP_NAMES))
def test_a_name_of_bccs_map_leads_to_the_labs(name):
    counts = Program("icmp_count")["icmp_packets"]
    with pytest.raises(LabError, match=re.escape(MAP_NAMES[name])):
        getattr(counts, name)
