"""What DSR asks of servers: to keep quiet about the VIP, and to answer from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labsetup import IP, UDP, VIP, Balancer, Connections, LabError, balanced, capture, datagrams
from labsetup.network.network import Network

KEY = (2024, 204)


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    network = balanced()
    Balancer(network, "lb_table", KEY)
    yield network
    network.close()


def test_a_udp_service_at_any_address_answers_from_the_wrong_one(net: Network) -> None:
    found = datagrams(net)
    assert (found.asked, found.answered) == (100, 0)
    assert VIP not in found.sources and len(found.sources) == 5
    assert set(found.sources) <= {net.hosts[name].address for name in net.vip_hosts}


@pytest.mark.parametrize("how", [{"at": VIP}, {"pktinfo": True}], ids=["at the VIP", "pktinfo"])
def test_one_that_answers_from_the_vip_works(net: Network, how: dict[str, str]) -> None:
    found = datagrams(net, **how)  # type: ignore[arg-type]  # either of the two
    assert (found.answered, found.sources) == (100, (VIP,))
    assert repr(found) == f"100 of 100 answered; answers from {VIP}"


def test_udp_questions_go_by_their_five_tuple(net: Network) -> None:
    """lb sees every question and no answer, as with TCP."""
    with capture(net.switch.eth1) as wire:
        datagrams(net, at=VIP)
    seen = [one.packet for one in wire if UDP in one.packet]
    assert len(seen) == 2 * 100 and {one[IP].dst for one in seen} == {VIP}


def test_an_address_that_a_server_does_not_have(net: Network) -> None:
    with pytest.raises(LabError, match=r"s1 has no address 203\.0\.113\.1"):
        datagrams(net, at="203.0.113.1")
    with pytest.raises(LabError, match="1 to 1,000 questions"):
        datagrams(net, questions=0)


@pytest.mark.parametrize("announce", [2, 0])
def test_a_question_of_a_servers_own_takes_the_vip_unless_told_otherwise(announce: int) -> None:
    net = balanced()
    Balancer(net, "lb_table", KEY)
    connections = Connections(net, 100)
    for name in net.vip_hosts:
        net.hosts[name].run(f"sysctl -w net.ipv4.conf.all.arp_announce={announce}")
    net.s5.run("ip neigh flush dev eth0")  # as after a restart
    with net.client.tcpdump(options="arp") as asked:
        connections.check().check()
    mine = f"tell {VIP if announce == 0 else net.s5.address}"
    assert f"who-has 192.0.2.1 {mine}" in asked.output
    who = net.lb.eth0 if announce else net.s5.eth0
    assert who.mac in net.client.run(f"ip neigh show {VIP}").output
    assert set(connections.at[connections.alive]) == (set(net.vip_hosts) if announce else {"s5"})
