"""What no packet would meet is refused in words: who is told too late, too little or elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from labsetup import (
    Balancer,
    Connections,
    LabError,
    Neighbours,
    Peers,
    Site,
    XdpNat,
    balanced,
    detours,
    ecmp,
    next_hops,
    no_balancer,
    random_flows,
    segments,
    services,
)
from labsetup.network.network import Network

KEY = (2024, 204)


@pytest.fixture(scope="module")
def behind() -> Iterator[Network]:
    network = balanced(3)
    yield network
    network.close()


@pytest.fixture(scope="module")  # for the last tests: it ends the other network
def routed() -> Iterator[Network]:
    network = no_balancer()
    ecmp(network)
    yield network
    network.close()


def test_nat_is_told_all_and_says_how(behind: Network) -> None:
    with XdpNat(behind) as way:
        assert Connections(behind, 20).broken == 0
        assert 'Balancer(net, "lb_nat")' not in repr(way)
        assert "addresses, answering and way_back" in repr(way)


def test_a_balancer_whose_place_another_one_took(behind: Network) -> None:
    old = Balancer(behind, "lb_table", KEY)
    new = Balancer(behind, "lb_modulo", KEY)
    with pytest.raises(LabError, match="lb eth0 runs another program by now"):
        old.use("s1")
    new.use("s2")
    assert set(Connections(behind, 20).at) == {"s2"}
    old.program.attach(behind.lb.eth0)
    old.use("s1")
    assert set(Connections(behind, 20).at) == {"s1"}
    old.program.detach()
    old.use("s2")  # its table can be filled before it is attached again
    old.program.attach(behind.lb.eth0)
    assert set(Connections(behind, 20).at) == {"s2"}


@pytest.mark.parametrize("key", [(2**64, 1), (-1, 1), (0, 2**70)])
def test_a_key_of_more_than_64_bits(behind: Network, key: tuple[int, int]) -> None:
    with pytest.raises(LabError) as caught:
        Balancer(behind, "lb_table", key)
    assert str(caught.value).startswith("a key is two numbers of 64 bits, such as (2024, 204), not")


def test_a_service_that_is_not_there(behind: Network) -> None:
    with pytest.raises(LabError, match="no service of s9; there are: s1, s2, s3"):
        services(behind)["s9"]
    Connections(behind, 1, port=8081)
    assert repr(services(behind, 8081)["s1"]).startswith("s1 port 8081: ")
    services(behind, 8081)["s1"].stop()
    assert repr(services(behind, 8081)["s1"]) == "s1 port 8081: stopped"


@pytest.mark.parametrize("port", [0, -1, 70_000])
def test_a_port_that_no_client_has(behind: Network, port: int) -> None:
    with pytest.raises(LabError, match="a port of the client is a whole number from 1 to 65,535"):
        Connections(behind, 2, ports=[port])


def test_segments_are_over_ipv4(behind: Network) -> None:
    with pytest.raises(LabError, match="takes flows over IPv4"):
        segments(random_flows(3, ipv6=True), behind.client.eth0, behind.lb.eth0)
    mixed = random_flows(3)
    mixed["destination"][2] = 1
    with pytest.raises(LabError, match="takes flows over IPv4"):
        segments(mixed, behind.client.eth0, behind.lb.eth0)
    assert segments(random_flows(0), behind.client.eth0, behind.lb.eth0) == []


def test_peers_whose_place_others_took(routed: Network) -> None:
    old = Peers(routed, "to_owner", KEY)
    new = Peers(routed, "second_chance", KEY)
    with pytest.raises(LabError, match="s1 eth0 runs another program by now"):
        old.use("s1", "s2")
    assert old["s1"].servers == ["s1", "s2", "s3", "s4"]  # nobody was told half of it
    new.detach()
    with pytest.raises(LabError, match="s1 does not run these peers' program"):
        detours(routed, new, rounds=1, number=4)


def test_neighbours_that_were_stopped(routed: Network) -> None:
    table = Neighbours(routed)
    table.stop()
    with pytest.raises(LabError, match=re.escape("neighbours = Neighbours(net)")):
        table.use("s1")
    ecmp(routed)
    assert Connections(routed, 20).broken == 0  # and the router was told nothing


def test_who_is_gone_gets_no_rows_whoever_is_named(routed: Network) -> None:
    table = Neighbours(routed)
    try:
        table.use("s1", "s2", gone=["s1"])
        assert {row.now for row in table.rows} == {"s2"}
        table.use(gone=["s3"])
        assert {row.now for row in table.rows} == {"s1", "s2", "s4"}
        with pytest.raises(LabError, match="name at least one server"):
            table.use("s1", gone=["s1"])
        with pytest.raises(LabError, match="there is no server s9"):
            table.use("s1", gone=["s9"])
    finally:
        table.stop()


def test_a_site_that_is_closed(routed: Network) -> None:
    with Site(routed, "ECMP alone") as site:
        pass
    with pytest.raises(LabError, match=re.escape('Site(net, "ECMP alone")')):
        site.use("s1")
    assert set(next_hops(routed, random_flows(50, clients="203.0.113.0/24"))) == {
        "s1",
        "s2",
        "s3",
        "s4",
    }
