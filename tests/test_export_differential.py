"""Exported programs against their originals: the same verdict, bytes and maps, packet by packet.

What clang alone makes of the exported C, loaded by bpftool, and what BCC makes of the program in
bpf/ meet the same packets in the same order, on one CPU, with the same in their maps.

XDP_LAB_EXPORT_PACKETS sets how many packets each program gets, XDP_LAB_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import re
import socket
from collections import Counter

import pytest
from support import models_balance, models_peers
from support.corpus import balancer_corpus, corpus
from support.differing import copy_maps, differences
from support.exported import built
from support.exported import loaded as loaded_by_bpftool
from support.host import REPO
from support.mutants import SEEDS, cuts, mutants

from labsetup import Program, two_hosts
from labsetup.libbpf.runs import run_frame
from labsetup.observing.rings import Rings
from labsetup.programs.run import VERDICTS

NUMBER = int(os.environ.get("XDP_LAB_EXPORT_PACKETS", "20000"))
BPF = REPO / "bpf"
PROGRAMS = sorted(one.stem for one in BPF.glob("*.c") if "struct xdp_md" in one.read_text())
BALANCERS = {one for one in PROGRAMS if one.startswith("lb_")} | {*models_peers.MODELS}
BY_CHANCE = {"lb_random", "flood"}
ROOM = 8000  # flows; lb_memory's map forgets by itself when it has 16,384
BATCH = 500
# Two programs cannot draw the same from the kernel.  Here both draw from the packet's length.
DRAWN = "#define bpf_get_prandom_u32() ((u32)(ctx->data_end - ctx->data) * 2654435761u)\n"


def _many(base: list[bytes]) -> list[bytes]:
    """As many packets as are asked for: of the corpus, cut at every length, and changed."""
    found = base + cuts(base)
    if len(found) > NUMBER // 2:
        found = random.Random(SEEDS[0]).sample(found, NUMBER // 2)
    share = -(-(NUMBER - len(found)) // len(SEEDS))
    return [*found, *(one for seed in SEEDS for one in mutants(base, seed, share))]


@pytest.fixture(scope="module")
def frames():
    print(f"\nseeds: {', '.join(map(str, SEEDS))}")
    return {False: _many(corpus()), True: _many(balancer_corpus())}


@pytest.fixture(scope="module")
def host():
    """A host that has the VIP, and sockets that some packets of the corpus belong to."""
    net, kept = two_hosts(ipv6=True), list[socket.socket]()
    ends = {
        socket.AF_INET: ("203.0.113.7", models_balance.VIP, 32),
        socket.AF_INET6: ("2001:db8:7::7", models_balance.VIP6, 128),
    }
    with net.server.inside():
        for family, (client, vip, bits) in ends.items():
            version = 4 if family == socket.AF_INET else 6
            for address in (client, vip):
                words = f"ip -{version} addr add {address}/{bits} dev lo"
                assert net.server.run(words).status == 0
            kept.append(socket.create_server((vip, 443), family=family))
            for port in (40000, 40001):
                kept.append(socket.socket(family))
                kept[-1].bind((client, port))
                kept[-1].connect((vip, 443))
    yield net.server
    for one in kept:
        one.close()
    net.close()


def _pair(name, loaded):
    """The original, its maps filled, and its C."""
    source = (BPF / f"{name}.c").read_text()
    if name not in BY_CHANCE:
        return loaded[name], source
    source = re.sub(r"^(#include [^\n]*\n)(?!#include)", rf"\1{DRAWN}", source, count=1, flags=re.M)
    assert DRAWN in source
    program = Program(name, source)
    if name == "lb_random":
        models_balance.fill(program)
    else:
        program["templates"][0] = {"byte": bytes(range(100, 142))}
    return program, source


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same_verdict_bytes_and_maps(name, loaded, frames, host, tmp_path):
    original, source = _pair(name, loaded)
    packets = frames[name in BALANCERS]
    if name == "neighbours":  # whom frames reach by addresses that a router has made up
        here = models_peers.made_up(1, models_peers.HERE)
        packets = [here + one[6:] if n % 4 else one for n, one in enumerate(packets)]
    verdicts: Counter[str] = Counter()
    with loaded_by_bpftool(built(name, source, tmp_path)) as there, host.inside():
        copy_maps(original, there)
        for at in range(0, len(packets), BATCH):
            batch = packets[at : at + BATCH]
            found = differences(original, there, batch)
            assert not found, f"{name}, XDP_LAB_SEED={SEEDS}: {len(found)}, first {found[0]}"
            if name == "lb_memory" and len(original["flows"]) > ROOM:
                original["flows"].clear()
                _empty(original, there)
        for packet in random.Random(len(packets)).sample(packets, min(2000, len(packets))):
            verdicts[VERDICTS[run_frame(there.fd, packet)[0]]] += 1
    print(f"\n{name}: {len(packets)} packets, 0 differences; of 2,000: {dict(verdicts)}")
    assert len(packets) >= NUMBER
    if name in BALANCERS:
        assert len(verdicts) > 1  # else nothing of it was tried


def _empty(original: Program, there) -> None:
    from support.exported import contents, elements

    plan = original["flows"]._plan
    found = elements(plan, there.maps["flows"])
    for key in contents(plan, there.maps["flows"]):
        found.remove(key)


def test_chance_is_the_kernels(loaded, tmp_path):
    """As it stands, the exported lb_random draws each server as often as the original does."""
    packet = next(
        one
        for one in balancer_corpus()
        if VERDICTS[run_frame(loaded["lb_random"].fd, one)[0]] == "XDP_TX"
    )
    source = (BPF / "lb_random.c").read_text()
    drawn = []
    with loaded_by_bpftool(built("lb_random", source, tmp_path)) as there:
        copy_maps(loaded["lb_random"], there)
        for fd in (loaded["lb_random"].fd, there.fd):
            drawn.append(Counter(run_frame(fd, packet)[1] for _ in range(9000)))
    assert {*drawn[0]} == {*drawn[1]}
    assert len(drawn[0]) == models_balance.EMPTY
    for after, times in drawn[1].items():  # nine deviations of a binomial distribution
        assert abs(times - drawn[0][after]) < 9 * 2**0.5 * 45


def test_the_same_goes_to_user_space(tmp_path):
    """What bpf/capture.c submits, but for the time; of one packet of each length."""
    source = (BPF / "capture.c").read_text()
    packets = [bytes([size % 256]) * size for size in range(14, 1400, 7)]
    told = list[list[bytes]]()
    original = Program("capture", source)
    with loaded_by_bpftool(built("capture", source, tmp_path)) as there:
        records = original.hidden_maps["records"].fd, there.maps["records"]
        for program, fd in zip((original.fd, there.fd), records, strict=True):
            told.append([])
            rings = Rings(fd, 256, lambda cpu, record: told[-1].append(record[8:]))
            for packet in packets:
                run_frame(program, packet)
                rings.read()
    for packet, before, after in zip(packets, told[0][::2], told[0][1::2], strict=True):
        assert packet in before and packet in after
    assert told[0] == told[1]


def test_a_difference_is_found(loaded, tmp_path):
    """One that counts otherwise, one that says otherwise, one that writes otherwise."""
    base = corpus()[:50]
    for name, old, new, sign in (
        ("icmp_count", "*count += 1", "*count += 2", "map icmp_packets"),
        ("drop_icmp", "return XDP_DROP", "return XDP_TX", " 1 "),
        ("mac_swap", "h_source, mac, ETH_ALEN", "h_source, mac, 4", " 3 "),
    ):
        source = (BPF / f"{name}.c").read_text()
        assert old in source
        wrong = built(name, source.replace(old, new), tmp_path / name)
        with loaded_by_bpftool(wrong) as there:
            found = differences(Program(name), there, base)
            assert any(sign in one for one in found), name
