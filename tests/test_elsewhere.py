"""Programs in libbpf's C, in the habits of those who write them, unchanged: what each does."""

from __future__ import annotations

import re
import socket
import time
from typing import Any

import pytest
from support.elsewhere import (
    FOLDER,
    SOURCES,
    SYN,
    UDP4,
    Story,
    as_kept,
    entry,
    made,
    path_of,
    records,
    take,
    why_not,
)
from support.elsewhere_headers import ABOUT_HEADERS
from support.elsewhere_maps import ABOUT_MAPS

from labsetup import ARP, ICMP, IP, TCP, Ether, LabError, Program
from labsetup.packets.craft import FIRST_MAC, SECOND_MAC, frame

STORIES = [*ABOUT_HEADERS, *ABOUT_MAPS]
TOLD_APART = {"events_ringbuf", "syn_proxy", "pinned_by_name"}  # below


# Those that let pass what is cut off, and what is no IP.
PATIENT = [
    "bloom_seen",
    "core_vmlinux",
    "decap_ipip",
    "dport_minus_one",
    "events_ringbuf",
    "filter_ports",
    "flow_table",
    "globals",
    "icmp_echo_server",
    "katran_vips",
    "map_in_map",
    "parse_icmp6_even",
    "printk_ports",
    "syn_proxy",
    "tail_calls_from_outside",
    "token_bucket",
    "xsk_or_pass",
]


def wanted(name: str) -> None:
    if reason := why_not(name):
        pytest.skip(reason)


def test_every_program_has_a_story():
    assert {path.stem for path in SOURCES} == {one.name for one in STORIES} | TOLD_APART
    assert len(SOURCES) >= 27


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_source_says_whose_habits_it_has(path):
    assert re.match(
        r"(?:/\* SPDX-License-Identifier: GPL-2.0-or-later \*/|// SPDX\S+ GPL-2.0-or-later)\n"
        r"/\* As .+\n \* .+ \*/\n",
        path.read_text(),
    )


def told(story: Story) -> Any:
    """A story as a test's parameter."""
    refused = pytest.mark.xfail(
        reason="the lab takes no bpf_loop: nobody could end it", strict=True
    )
    marks = [refused] if story.name == "loop_options" else []
    return pytest.param(story, marks=marks, id="-".join([story.name, *story.constants]))


@pytest.mark.parametrize("story", [told(one) for one in STORIES])
def test_what_a_packet_experiences(story: Story):
    wanted(story.name)
    program = made(story.name, story.constants)
    if story.fill:
        story.fill(program)
    for step in story.steps:
        take(program, step)


@pytest.mark.parametrize("name", PATIENT)
def test_what_is_cut_off_passes_as_it_is(name):
    wanted(name)
    program = made(name)
    for packet in (frame(UDP4)[:14], frame(UDP4)[:33], frame(Ether() / ARP())):
        run = program.run(packet)
        assert (run.verdict, run.after) == ("XDP_PASS", packet)


def test_events_come_out_of_the_ring_as_records():
    program = made("events_ringbuf")
    begun = time.monotonic_ns()
    for port in (80, 443):
        program.run(Ether() / IP(ttl=9) / TCP(dport=port, flags="S"))
    for flags in ("A", "SA", "R"):
        program.run(Ether() / IP() / TCP(flags=flags))
    events = records(program)
    assert [one["dport"] for one in events] == [80, 443]
    for one in events:
        assert (one["saddr"], one["daddr"]) == (as_kept("192.0.2.1"), as_kept("192.0.2.2"))
        assert (one["kind"], one["ttl"]) == (1, 9)
        assert bytes(one["tag"]).rstrip(b"\0") == b"syn"
        assert begun < one["ts"] < time.monotonic_ns()
    assert records(program) == []
    assert program.variables["lost"] == 0


def test_a_full_ring_loses_events():
    program = made("events_ringbuf")
    program.run(SYN, repeat=200)
    kept = len(records(program))
    assert kept == 4096 // (8 + 32)  # with the ring's own header of 8 bytes
    assert program.variables["lost"] == 200 - kept


def cookie(port: int, secret: int) -> int:
    """What syn_proxy.c sends, from the first host of two to port 80 of the second."""
    own, other = as_kept("192.0.2.1"), as_kept("192.0.2.2")
    ports = socket.htons(port) << 16 | socket.htons(80)
    h = secret ^ own
    h = (h ^ h >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    h ^= other ^ ports
    h = (h ^ h >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return h ^ h >> 16


@pytest.mark.parametrize("secret", [0x5EED5EED, 7])
def test_who_brings_the_cookie_back_is_let_in(secret):
    program = made("syn_proxy", {} if secret == 0x5EED5EED else {"secret": secret})
    there, back = IP(src="192.0.2.1", dst="192.0.2.2"), IP(src="192.0.2.2", dst="192.0.2.1")
    syn = Ether() / there / TCP(sport=9, dport=80, flags="S", seq=0xFFFFFFFF)
    answered = program.run(syn)
    sent = cookie(9, secret)
    assert answered.verdict == "XDP_TX"
    expected = Ether(src=SECOND_MAC, dst=FIRST_MAC) / back
    expected /= TCP(sport=80, dport=9, flags="SA", seq=sent, ack=0)
    assert answered.after.hex() == frame(expected).hex()

    def acks(number: int) -> str:
        ack = TCP(sport=9, dport=80, flags="A", ack=number & 0xFFFFFFFF)
        return program.run(Ether() / there / ack).verdict

    assert acks(sent) == "XDP_DROP"
    assert as_kept("192.0.2.1") not in program["allowed"]
    assert acks(sent + 1) == "XDP_DROP"
    assert as_kept("192.0.2.1") in program["allowed"]
    assert program.run(syn).verdict == "XDP_PASS"
    assert [entry(program, "counts", what) for what in range(3)] == [1, 1, 1]
    assert (
        program.run(Ether() / IP(src="192.0.2.9") / TCP(dport=81, flags="S")).verdict == "XDP_PASS"
    )


def test_loads_of_one_name_share_a_pinned_map():
    one, other = made("pinned_by_name"), made("pinned_by_name")
    before = one["kept_count"][0]
    one.run(UDP4)
    other.run(Ether() / IP() / ICMP())
    assert one["kept_count"][0] == other["kept_count"][0] == before + 2
    assert one["kept_count"].id == other["kept_count"].id


def test_a_file_has_nothing_but_programs():
    assert {path.suffix for path in FOLDER.rglob("*") if path.is_file()} == {".c"}
    assert path_of("globals").is_file()


@pytest.mark.parametrize(
    "path", sorted((FOLDER / "refused").glob("*.c")), ids=lambda path: path.stem
)
def test_a_mistake_is_refused(path):
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "// here" in text)
    assert f"line {line}" in path.read_text().splitlines()[1]
    with pytest.raises(LabError):
        Program(path)
