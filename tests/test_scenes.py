"""What lesson 08 lets its cells say in a few lines: a scoreboard, a site, next hops."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import pytest
from support.pictures import drawn, svg

from labsetup import (
    ICMP,
    IP,
    TCP,
    UDP,
    VIP,
    Bgp,
    Connections,
    LabError,
    Raw,
    Scoreboard,
    Site,
    bgp_or_by_hand,
    counted_at,
    ecmp,
    next_hops,
    no_balancer,
    random_flows,
)
from labsetup.network.network import Network
from labsetup.routing.by_hand import ByHand

KEY = (2024, 204)
ALL = ("s1", "s2", "s3", "s4")
WITHOUT_S3 = ("s1", "s2", "s4")


@pytest.fixture
def net() -> Iterator[Network]:
    network = no_balancer()
    yield network
    network.close()


def hops(net: Network) -> set[str]:
    """The servers to which the router sends a few hundred flows."""
    return set(next_hops(net, random_flows(300, clients="203.0.113.0/24")))


def filled() -> Scoreboard:
    scores = Scoreboard(["alone", "together"], ["drain", "crash"], of=300)
    for number, field in enumerate(scores.fields()):
        scores[field] = 10 * number
    return scores


def test_a_scoreboard_goes_through_its_fields_row_by_row() -> None:
    scores = filled()
    assert (scores.row("alone"), scores.row("together")) == ([0, 10], [20, 30])
    assert scores["together", "crash"] == 30
    assert repr(scores).splitlines() == [
        "broken of 300     drain    crash",
        "alone                 0       10",
        "together             20       30",
    ]


def test_a_scoreboard_shows_itself_while_it_is_filled() -> None:
    scores = Scoreboard(["alone"], ["drain", "crash"], of=5)
    scores["alone", "crash"] = 3
    assert repr(scores).endswith("alone                 -        3")
    with pytest.raises(LabError, match="drain was not tried by alone yet"):
        scores.row("alone")


def test_a_scoreboard_draws_a_bar_a_way() -> None:
    bundle = drawn(filled().plot())
    assert bundle["text/plain"].endswith("alone: drain 0, crash 10; together: drain 20, crash 30")
    drawing = svg(bundle)
    for word in ("drain", "crash", "alone", "together", "broken of 300"):
        assert f">{word}</text>" in drawing
    for figure in (0, 10, 20, 30):  # above its bar, also where there is none to see
        assert drawing.count(f">{figure}</text>") >= 1
    one = Scoreboard(["alone"], ["drain"], of=5)
    one["alone", "drain"] = 0
    assert repr(one.plot()).endswith("alone: drain 0")


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda: Scoreboard([], ["drain"], 5), "takes 1 to 5 ways"),
        (lambda: Scoreboard("abcdef", ["drain"], 5), "takes a list such as"),
        (lambda: Scoreboard(["alone"], [], 5), "at least one event"),
        (lambda: filled()["alone", "flap"], "there is no field 'alone', 'flap'"),
        (lambda: filled().row("nobody"), "ways: alone, together; events: drain, crash"),
        (lambda: filled().__setitem__(("nobody", "drain"), 1), "there is no field"),
        (
            lambda: filled().__getitem__(cast(Any, "alone")),
            'as in scores["to_owner", "drain"], not \'alone\'',
        ),
        (lambda: filled().__setitem__(cast(Any, "alone"), 1), "a field has a way and an event"),
        (
            lambda: filled().__setitem__(("alone", "drain"), cast(Any, "many")),
            "how many connections broke is",
        ),
        (lambda: filled().__setitem__(("alone", "drain"), -1), "how many connections broke is"),
        (lambda: Scoreboard(["alone", "alone"], ["drain"], 5), "'alone' is named twice"),
    ],
)
def test_a_scoreboard_says_what_is_wrong(act: Callable[..., object], sentence: str) -> None:
    with pytest.raises(LabError) as caught:
        act()
    assert sentence in str(caught.value)


def test_a_site_changes_servers_and_router(net: Network) -> None:
    with Site(net, "to_owner", KEY) as site:
        site.use(*WITHOUT_S3)
        assert site.peers and all(one.servers == list(WITHOUT_S3) for one in site.peers.values())
        assert hops(net) == set(WITHOUT_S3)
        site.restart_router()
        assert VIP not in net.router.run("ip route show")
        site.use("s4", "s3", "s2", "s1")
        assert hops(net) == set(ALL)
        assert repr(site) == "to_owner at s1, s2, s3, s4"
    assert not any(net.hosts[name].eth0.xdp for name in ALL)


def test_who_is_ill_by_mistake_keeps_its_connections(net: Network) -> None:
    with Site(net, "second_chance", KEY) as site:
        assert site.peers
        connections = Connections(net, 100)
        site.peers.leave_out({"s3"})
        assert connections.check().broken == 0 < (connections.at == "s3").sum()
        during = Connections(net, 60, afresh=False)
        assert "s3" not in during.at
        site.peers.leave_out(())
        assert connections.check().broken + during.check().broken == 0
        with pytest.raises(LabError, match="there is no server s9"):
            site.peers.use(*ALL, gone=["s9"])


def test_a_site_without_a_program_is_its_router(net: Network) -> None:
    with Site(net, "ECMP alone") as site:
        site.use(*WITHOUT_S3)
        assert site.peers is None
        assert hops(net) == set(WITHOUT_S3)
        assert not any(net.hosts[name].eth0.xdp for name in ALL)


def test_a_dead_server_takes_its_own_connections_along(net: Network) -> None:
    with Site(net, "second_chance", KEY) as site:
        connections = Connections(net, 100)
        site.pull_cable("s3")
        assert repr(site).endswith("without a cable: s3")
        with pytest.raises(LabError, match="s3 has no cable any more"):
            site.use(*ALL)
        site.use(*WITHOUT_S3)
        connections.check()
        assert set(connections.at[~connections.alive]) == {"s3"}
        assert site.peers
        places = [one.program["servers"][ALL.index("s3")] for one in site.peers.values()]
        assert all(server["mac"] == bytes(6) for server in places)
    assert net.router.ping(net.s3).received == 3, "closing plugs the cable in"


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda site: site.use("s9"), "there is no server s9"),
        (lambda site: site.use(), "name at least one server"),
        (lambda site: site.use("s1", s2=0.5), "use() takes servers"),
        (lambda site: site.pull_cable("s9"), "there is no server s9"),
    ],
)
def test_a_site_says_what_is_wrong(net: Network, act: Callable[..., object], sentence: str) -> None:
    with Site(net, "ECMP alone") as site, pytest.raises(LabError) as caught:
        act(site)
    assert sentence in str(caught.value)


def test_what_servers_count_says_where_packets_end(net: Network) -> None:
    with Site(net, "second_chance", KEY) as site:
        connections = Connections(net, 40)
        site.use(*WITHOUT_S3)
        client = IP(src="192.0.2.1", dst=VIP)
        for server in ALL:
            port = int(connections.flows["ports"][np.argmax(connections.at == server), 0])
            about = IP(src=VIP, dst="192.0.2.1") / TCP(sport=80, dport=port)
            error = client / ICMP(type=3, code=4) / about
            assert counted_at(net, "IcmpInDestUnreachs", error) == [server]
            assert counted_at(net, "IcmpInDestUnreachs", [error] * 3) == [server] * 3
        datagram = client / UDP(sport=40_000, dport=9) / Raw(bytes(1000))
        fragments = datagram.fragment(800)
        assert len(fragments) == 2
        assert len(counted_at(net, "IpReasmOKs", fragments)) == 1
        assert counted_at(net, "IpReasmOKs", client / UDP(dport=9), limit=0.1) == []
        with pytest.raises(LabError, match="there is no counter NoSuchCounter"):
            counted_at(net, "NoSuchCounter", error)


def test_without_bird_next_hops_are_typed(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(net.router), "has", lambda host, tool: tool != "bird")
    bgp = bgp_or_by_hand(net)
    assert isinstance(bgp, ByHand)
    said = repr(bgp).splitlines()
    assert said[0].startswith("BIRD is not installed")
    assert said[1] == "So the next hops are typed by hand:"
    assert bgp.announcing == hops(net) == set(ALL)
    bgp.use(*WITHOUT_S3)
    assert bgp.announcing == hops(net) == set(WITHOUT_S3)
    bgp.crash("s4")
    assert bgp.wait() == 0
    assert bgp.announcing == hops(net) == {"s1", "s2"}
    assert net.router.ping(net.s4, count=1, wait=0.2).received == 0
    with pytest.raises(LabError, match="s4 is no next hop; there are: s1, s2"):
        bgp.crash("s4")
    bgp.use(*ALL)
    assert net.router.ping(net.s4).received == 3  # the kernel passes over whom ARP did not find
    assert hops(net) == set(ALL)
    bgp.stop()
    assert bgp.routes


def test_the_last_next_hop_cannot_crash_by_hand(net: Network) -> None:
    ecmp(net)
    bgp = ByHand(net)
    bgp.use("s1")
    with pytest.raises(LabError, match="name at least one server"):
        bgp.crash("s1")
    assert net.router.ping(net.s1).received == 3
    assert "typed by hand" not in repr(bgp)


@pytest.mark.skipif(not shutil.which("bird"), reason="BIRD is not installed (bird2)")
def test_who_comes_announces_before_who_goes_is_withdrawn(net: Network) -> None:
    bgp = bgp_or_by_hand(net)
    assert isinstance(bgp, Bgp)
    bgp.use("s1")
    assert bgp.announcing == hops(net) == {"s1"}
    bgp.use("s3")
    assert bgp.announcing == hops(net) == {"s3"}
    bgp.crash("s3")
    bgp.use(*ALL)
    assert bgp.announcing == hops(net) == set(ALL)
    bgp.stop()


@pytest.mark.skipif(not shutil.which("bird"), reason="BIRD is not installed (bird2)")
def test_next_hops_by_hand_over_those_of_bird_are_named(net: Network) -> None:
    bgp = bgp_or_by_hand(net)
    assert isinstance(bgp, Bgp)
    ecmp(net, ["s1"])
    with pytest.raises(LabError, match="next hops that ecmp"):
        bgp.wait(["s2", "s3"], timeout=0.5)
    net.router.run("ip nexthop flush")
    bgp.wait()
    assert hops(net) == set(ALL)
    bgp.stop()
