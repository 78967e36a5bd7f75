"""Replies past lb and by way of it, and how long requests take: that both measure what they say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.pictures import drawn, svg

from labsetup import (
    IP,
    TCP,
    VIP,
    Balancer,
    Direct,
    LabError,
    NftDnat,
    Peers,
    Xdp,
    XdpNat,
    balanced,
    capture,
    detours,
    ecmp,
    latency,
    no_balancer,
    replies,
)
from labsetup.network.network import Network
from labsetup.rivals.exchanges import exchanges_of
from labsetup.rivals.latency import DETOUR, STRAIGHT, Latency
from labsetup.rivals.replies import narrow
from labsetup.rivals.requests import serving


@pytest.fixture
def two() -> Iterator[Network]:
    net = balanced(2)
    yield net
    net.close()


@pytest.fixture
def routed() -> Iterator[Network]:
    net = no_balancer()
    ecmp(net)
    yield net
    net.close()


def test_an_answer_of_xdp_nat_comes_back_by_lb_and_from_the_vip(two: Network) -> None:
    client, lb, port = two.client.eth0, two.lb.eth0, two.lb.eth0.peer
    with XdpNat(two), serving(two), capture(client, port) as seen:
        assert exchanges_of(two, 20, 3000).failed == 0
    at_client = [one for one in seen if one.interface is client and TCP in one.packet]
    came = [one.packet for one in at_client if one.packet.dst == client.mac]  # no flooded frame
    assert {one[IP].src for one in came} == {VIP} and {one.src for one in came} == {lb.mac}
    # XDP takes what goes to lb before any socket sees it there: the switch sends it.
    sent = [one.packet for one in seen if one.interface is port and one.sent]
    to_lb = {one[IP].src for one in sent if TCP in one}
    assert to_lb >= {two.s1.address, two.s2.address, client.addresses[0].ip.compressed}
    for packet in came:  # scapy makes the same checksums
        fresh = packet.copy()
        del fresh[IP].chksum, fresh[TCP].chksum
        assert bytes(fresh) == bytes(packet)


def test_the_bytes_of_replies_pass_lb_or_do_not(two: Network) -> None:
    ways = Direct, Xdp, XdpNat, NftDnat
    found = replies(two, [1000, 200_000], rounds=2, number=4, mbits=0, ways=ways)
    for (name, size), one in found.items():
        assert one.failed == 0 and len(one.bytes) == len(one.goodputs) == len(one.costs) == 2
        assert min(one.goodputs) > 0 and min(one.costs) > 0
        for count, frames in zip(one.bytes, one.frames, strict=True):
            if name == "direct":
                assert count == frames == 0
            elif name == "XDP":  # the client's SYN, request and acknowledgements, 66 bytes each
                assert 54 * frames < count < 90 * frames and count < 0.1 * size + 1000
            else:  # and each reply in frames of an MTU; on a busy machine some come twice
                assert size + 66 * -(-size // 1448) < count < 2 * size + 1000
                assert size / 1448 < frames
    assert found.ratio("bytes", 200_000, "XDP NAT") > 20
    assert found.ratio("bytes", 1000, "XDP NAT") > 3
    assert repr(found).count("1.00 ×") >= 2 and found.note == ""


@pytest.mark.alone
def test_a_narrow_link_is_full_by_nat_and_passed_by(two: Network) -> None:
    if NftDnat(two).missing:
        pytest.skip(NftDnat(two).missing)
    found = replies(two, [500_000], rounds=3, number=4, mbits=40)
    if found.note:
        pytest.skip(found.note)
    for name in ("XDP NAT", "nft DNAT"):
        assert max(found[name, 500_000].goodputs) < 40e6
        assert found.ratio("goodputs", 500_000, "XDP", name) > 1.5
    assert "noqueue" in two.switch.run("tc qdisc show dev eth1").output


def test_where_no_link_can_be_narrow_bytes_say_what_it_would_carry(
    two: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, port = two.switch.run, two.lb.eth0.peer

    def without(command: Any, *more: Any) -> Any:
        return run(str(command).replace(" tbf ", " no_such_qdisc ")) if more == () else None

    monkeypatch.setattr(two.switch, "run", without)
    found = replies(two, [100_000], rounds=1, number=3, mbits=10, ways=(Xdp, XdpNat))
    assert "goodput is reckoned from the bytes, for 10 Mbit/s" in repr(found)
    by_lb = found["XDP NAT", 100_000]
    assert by_lb.goodputs[0] == pytest.approx(10e6 * 100_000 / by_lb.bytes[0])
    assert "noqueue" in run(f"tc qdisc show dev {port.name}").output


def test_a_bucket_goes_with_its_block(two: Network) -> None:
    port = two.lb.eth0.peer
    with pytest.raises(ZeroDivisionError), narrow(port, 10) as note:
        assert note or "tbf" in two.switch.run(f"tc qdisc show dev {port.name}").output
        raise ZeroDivisionError
    assert "noqueue" in two.switch.run(f"tc qdisc show dev {port.name}").output


def test_what_they_refuse(two: Network) -> None:
    with pytest.raises(LabError, match="the size of a reply is a whole number from 1"):
        replies(two, [0])
    with pytest.raises(LabError, match="the number of rounds"):
        latency(two, 0)
    with serving(two), pytest.raises(LabError, match=r"of 50000 replies came within 0\.01 s"):
        exchanges_of(two, 50_000, 100_000, seconds=0.01)
    Balancer(two, "lb_table")
    for measure in (replies, latency):
        with pytest.raises(LabError, match="lb runs lb_table, which would take the packets"):
            measure(two)


def test_nobody_answers(two: Network) -> None:
    two.client.run(f"ip route replace {VIP} via 192.0.2.2")  # lb, which has the VIP and no server
    with pytest.raises(LabError, match="direct: none of 3 connections had an answer"):
        found = Latency("a request", ["direct"], {})
        with serving(two):
            found.add("direct", exchanges_of(two, 3).done)


def test_percentiles_are_those_of_the_rounds() -> None:
    found = Latency("a request", ["a", "b"], {"c": "c is not installed"})
    for turn in range(3):
        found.add("a", np.append(np.arange(1.0, 102.0) + turn, -1))
        found.add("b", 2 * (np.arange(1.0, 102.0) + turn))
    assert found.rounds("a", 50) == [51, 52, 53] and found.percentile("a", 50) == 52
    assert found.ratio(99, "b", "a") == 2
    assert "52 µs (51 to 53)" in repr(found) and "3 had no answer" in repr(found)
    assert "c is not installed" in repr(found)
    picture = drawn(found.plot())
    assert "a 50th 52 µs, 99th 101 µs" in picture["text/plain"]
    for words in ("a", "b", "microseconds of a request", "50"):
        assert f">{words}</text>" in svg(picture)


def test_each_request_has_its_time(two: Network) -> None:
    found = latency(two, rounds=2, number=30, ways=(Direct, XdpNat))
    for rounds in found.values():
        assert [len(times) for times in rounds] == [30, 30]
        assert all((times > 5).all() and (times < 1e6).all() for times in rounds)
    assert found.failed == 0 and two.lb.eth0.xdp is None


@pytest.mark.parametrize("program", ["to_owner", "second_chance"])
def test_the_two_kinds_take_and_do_not_take_the_detour(routed: Network, program: str) -> None:
    peers = Peers(routed, program)
    before = [routed.hosts[name].eth0.counters for name in routed.vip_hosts]
    found = detours(routed, peers, rounds=1, number=40)
    after = [routed.hosts[name].eth0.counters for name in routed.vip_hosts]
    assert [len(found[name][0]) for name in (STRAIGHT, DETOUR)] == [40, 40]
    handed_on = sum((b - a)["xdp_tx"] for a, b in zip(before, after, strict=True))
    # Of 40 connections each packet of the client's: SYN, acknowledgement, request, and the end.
    assert 4 * 40 <= handed_on <= 9 * 40


def test_where_no_packet_takes_one(routed: Network) -> None:
    peers = Peers(routed, "to_owner")
    ecmp(routed, ["s1"])
    peers.use("s1")
    with pytest.raises(LabError, match=r"all flows to their owner; with ecmp\(net\) it spreads"):
        detours(routed, peers, 1, 4)
    with pytest.raises(LabError, match="these peers are on another network"):
        detours(no_balancer(2), peers, 1, 4)


@pytest.mark.alone
def test_a_detour_takes_longer(routed: Network) -> None:
    peers = Peers(routed, "to_owner")
    for _ in range(5):  # a neighbour's noise in one attempt may be repeated
        found = detours(routed, peers, rounds=5, number=300)
        if found.ratio(50, DETOUR, STRAIGHT) > 1.02:
            return
    pytest.fail(repr(found))
