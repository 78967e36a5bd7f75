"""Programs against their models: the same verdict and the same bytes, for many odd packets.

XDP_LAB_SEED repeats a run that failed; XDP_LAB_PACKETS sets how many packets each program gets.
"""

from __future__ import annotations

from collections import Counter

import pytest
from scapy.utils import checksum
from support import models_balance as balance
from support import models_nat as nat
from support.corpus import balancer_corpus, corpus
from support.models import DROP, MODELS, PASS, REDIRECT, TX, drop_icmp
from support.mutants import NUMBER, SEEDS, parts

from labsetup import IP, TCP, UDP, Ether, IPv6
from labsetup.libbpf.runs import run_frame
from labsetup.programs.run import VERDICTS


@pytest.fixture(scope="module")
def frames():
    """The packets that every program gets, with the seed of each part."""
    print(f"\nseeds: {', '.join(map(str, SEEDS))}")
    return parts(corpus())


@pytest.fixture(scope="module")
def balancer_frames():
    """The packets that every load balancer gets."""
    print(f"\nseeds: {', '.join(map(str, SEEDS))}")
    return parts(balancer_corpus())


def _same(fd: int, packet: bytes, opinion: tuple[str, bytes], seed: int | str) -> None:
    number, after, _ = run_frame(fd, packet)
    verdict, expected = opinion
    if VERDICTS[number] != verdict or after != expected:
        pytest.fail(
            f"it differs from its model; XDP_LAB_SEED={seed}\npacket   {packet.hex()}\n"
            f"expected {verdict} {expected.hex()}\ngot      {VERDICTS[number]} {after.hex()}"
        )


@pytest.mark.parametrize("name", MODELS)
def test_a_program_does_what_its_model_does(loaded, frames, name):
    model, fd = MODELS[name], loaded[name].fd
    seen: Counter[str] = Counter()
    before, icmp = _counted(loaded[name]), 0
    for seed, part in frames:
        for packet in part:
            opinion = model(packet)
            _same(fd, packet, opinion, seed)
            seen[opinion[0]] += 1
            icmp += name == "icmp_count" and drop_icmp(packet)[0] == DROP
    total = seen.total()
    print(f"\n{name}: {total} packets, {dict(seen)}, seeds {SEEDS}")
    assert total >= NUMBER
    counts = {"icmp_count": icmp, "dns_block": seen[DROP]}
    assert _counted(loaded[name]) - before == counts.get(name, 0)
    if name in ("echo_reply", "redirect", "dns_block"):
        assert 0.01 * total < seen[PASS] < 0.99 * total  # both ways are well trodden


@pytest.mark.parametrize("name", balance.MODELS)
def test_a_balancer_does_what_its_model_does(loaded, balancer_frames, name):
    model, fd = balance.MODELS[name], loaded[name].fd
    seen: Counter[str | bytes] = Counter()
    for seed, part in balancer_frames:
        for packet in part:
            opinion = model(packet)
            _same(fd, packet, opinion, seed)
            seen[opinion[1][:6] if opinion[0] == TX else PASS] += 1
    total = seen.total()
    print(f"\n{name}: {total} packets, {total - seen[PASS]} to {len(seen) - 1} servers")
    assert total >= NUMBER
    assert 0.2 * total < seen[PASS] < 0.9 * total
    assert min(seen.values()) > 0.003 * total  # each server has its share


def test_a_balancer_remembers_what_its_model_remembers(loaded, balancer_frames):
    """While the tables take turns, servers come and go, and all is forgotten now and then."""
    program = loaded["lb_memory"]
    model, kept = balance.Memory(), 0
    for seed, part in balancer_frames:
        for number, packet in enumerate(part):
            if number % 300 == 0:
                model.rows = balance.NEW_ROWS if number % 600 else balance.ROWS
                program["active"][0] = model.rows is balance.NEW_ROWS
            if number % 900 == 0:
                balance.fill_servers(program)
                model.gone = (number // 900 % 4 + 1) if number % 1800 else -1
                if model.gone != -1:
                    program["servers"][model.gone] = {"seed": 0, "mac": bytes(6)}
            if len(model.known) > 1500:  # the map forgets a little before it is full
                model.known.clear()
                program["flows"].clear()
            flow = balance.flow_of(packet)
            place = model.known.get(flow) if flow else None
            _same(program.fd, packet, opinion := model(packet), seed)
            if flow and place is not None and opinion[0] == TX:
                kept += model.owner(flow) != place
    print(f"\nlb_memory: {kept} packets by memory alone")
    assert kept > 0.005 * NUMBER
    balance.fill_servers(program)
    program["active"][0] = 0


def test_nat_does_what_its_model_does_on_both_ways(loaded):
    fd = loaded["lb_nat"].fd
    seen: Counter[str] = Counter()
    for seed, part in parts(nat.corpus()):
        for packet in part:
            opinion = nat.lb_nat(packet)
            _same(fd, packet, opinion, seed)
            back = opinion[1][:6] == nat.CLIENT_MAC
            seen[opinion[0] if opinion[0] == PASS else "back" if back else "there"] += 1
    total = seen.total()
    print(f"\nlb_nat: {total} packets, {dict(seen)}, seeds {SEEDS}")
    assert total >= NUMBER
    assert min(seen[PASS], seen["there"], seen["back"]) > 0.05 * total


def test_scapy_finds_the_checksums_of_nat_right(loaded):
    """Of IP and of TCP or UDP, in each changed packet in which they were right before."""
    checked = 0
    for packet in nat.corpus():
        run = loaded["lb_nat"].run(packet)
        if run.verdict != TX or not _as_scapy_makes_it(packet):
            continue
        assert _as_scapy_makes_it(run.after), packet.hex()
        checked += 1
    assert checked >= 100


def _as_scapy_makes_it(raw: bytes) -> bool:
    packet = Ether(raw)
    again = packet.copy()
    del again[IP].chksum
    for kind in (TCP, UDP):
        if kind in again and not (kind is UDP and not packet[UDP].chksum):
            del again[kind].chksum
    return bytes(again) == raw


def _counted(program) -> int:
    if program.name == "icmp_count":
        return program["icmp_packets"][0].sum
    return sum(program["blocked"].values()) if program.name == "dns_block" else 0


@pytest.mark.parametrize("name", ["echo_reply", "redirect"])
def test_scapy_finds_the_checksums_right(loaded, name):
    """In each changed packet of the corpus whose checksums were right before."""
    checked = 0
    for packet in corpus():
        run = loaded[name].run(packet)
        if run.verdict not in (TX, REDIRECT) or not _is_right(packet):
            continue
        assert _is_right(run.after), packet.hex()
        checked += 1
    assert checked >= 100


def _is_right(raw: bytes) -> bool:
    """Whether the receiver's sum over IPv4 header and ICMP message comes out right."""
    packet = Ether(raw)
    if IP in packet:
        header = bytes(packet[IP])[: packet[IP].ihl * 4]
        message = bytes(packet[IP])[packet[IP].ihl * 4 : packet[IP].len]
        fits = (
            packet[IP].proto != 1
            or packet[IP].frag
            or packet[IP].flags.MF
            or checksum(message) == 0
        )
        return checksum(header) == 0 and bool(fits)
    if packet[IPv6].nh != 58:
        return True
    body = bytes(packet[IPv6])
    size = int.from_bytes(body[4:6])
    return checksum(body[8:40] + size.to_bytes(4) + b"\0\0\0\x3a" + body[40 : 40 + size]) == 0
