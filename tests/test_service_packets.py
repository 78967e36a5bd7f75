"""The balancer that runs without the lab: where packets go, and how they are counted."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.service import ALL, KEPT, Copy, Service, missing, running, until
from support.service_traffic import Traffic

from labsetup import VIP, Connections, balanced, capture, segments, send
from labsetup.balancing.hashing import random_flows
from labsetup.lessons.lesson_09_take_it_home.scene import home
from labsetup.network.network import Network
from labsetup.packets.craft import ICMP, IP, TCP, Ether, Raw, frame

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    network = balanced(5, ipv6=True)
    yield network
    network.close()


@pytest.fixture(scope="module")
def copy() -> Iterator[Copy]:
    with tempfile.TemporaryDirectory(dir=home()) as made:
        os.chmod(made, 0o755)
        yield Copy(Path(made) / "copy")


@pytest.fixture
def service(net: Network, copy: Copy) -> Iterator[Service]:
    with running(net, copy, ALL) as one:
        yield one


def test_metrics_agree_with_what_was_sent(service: Service) -> None:
    net = service.net
    before, kept = service.metrics(), net.lb.eth0.counters
    frames = segments(random_flows(2000, clients="203.0.113.0/24"), net.client.eth0, net.lb.eth0)
    send(net.client.eth0, frames)
    traffic = Traffic(net)
    until(lambda: traffic.sent > 1000)
    traffic.stop()
    after = service.metrics()
    grown = {name: value - before[name] for name, value in after.items()}
    tcp = {name: grown[f"packets_total {name} tcp"] for name in ALL}
    udp = {name: grown[f"packets_total {name} udp"] for name in ALL}
    assert sum(tcp.values()) == 2000 and min(tcp.values()) > 300
    assert udp == {name: len(traffic.got[name]) for name in ALL}
    assert sum(udp.values()) == traffic.sent and traffic.lost == 0
    assert sum(grown[f"bytes_total {name} tcp"] for name in ALL) == sum(map(len, frames))
    passed = (net.lb.eth0.counters - kept)["xdp_tx"]
    assert passed == 2000 + traffic.sent
    assert grown["no_server_packets_total tcp"] == 0


def test_packets_of_no_service_and_for_nobody_are_counted(service: Service) -> None:
    net = service.net
    service.write({})
    assert service.reload() == "reload: done"
    before = service.metrics()
    client = net.client.eth0
    macs = Ether(src=client.mac, dst=net.lb.eth0.mac)
    send(client, macs / IP(src=net.client.address, dst=VIP) / TCP(dport=80, flags="A"), 30)
    send(client, macs / IP(src=net.client.address, dst=VIP) / TCP(dport=81, flags="A"), 20)

    def grown(name: str) -> float:
        return service.metrics()[name] - before[name]

    until(lambda: grown("other_packets_total") >= 20)  # and what else comes, ARP say
    assert grown("no_server_packets_total tcp") == 30
    assert grown("other_packets_total") < 30
    service.write(ALL)
    service.reload()
    assert Connections(net, 50).broken == 0


def test_who_drains_keeps_its_connections_and_who_goes_does_not(service: Service) -> None:
    connections = Connections(service.net, 200)
    service.write(ALL | {"s3": 0})
    service.reload()
    assert connections.check().broken == 0
    assert service.metrics()["server_state s3 tcp"] == 1
    assert "s3" not in Connections(service.net, 100, afresh=False).at
    service.write(KEPT)
    service.reload()
    connections.check()
    assert set(connections.at[~connections.alive]) == {"s3"}
    assert (connections.alive | (connections.at == "s3")).all()


def where(net: Network, packets: list[bytes]) -> list[str]:
    """The server that got each of them; in order, as they were sent."""
    found = []
    for one in packets:
        with capture(*(net.hosts[name].eth0 for name in ALL)) as seen:
            send(net.client.eth0, one)
        # The client answers with a reset what it did not ask for, if need be beside the next SYN.
        ours = [s for s in seen if not s.sent and s.packet.original[14:] == one[14:]]
        found.append(next(s.interface.host.name for s in ours if s.packet.dst == s.interface.mac))
    return found


def test_a_syn_that_comes_twice_comes_to_one_server(service: Service) -> None:
    """Between them a server comes that would own some of them; one that drains gets none."""
    net = service.net
    service.write(KEPT)
    service.reload()
    syns = segments(random_flows(12, 4), net.client.eth0, net.lb.eth0)
    first = where(net, syns)
    service.write(ALL | {"s3": 9})
    service.reload()
    assert where(net, syns) == first
    others = segments(random_flows(12, 5), net.client.eth0, net.lb.eth0)
    assert "s3" in where(net, others)
    service.write({"s1": 1, "s2": 0, "s3": 0, "s4": 0, "s5": 0})
    service.reload()
    assert set(where(net, syns)) == {"s1"}


def test_an_icmp_error_comes_to_the_server_that_sent_the_packet(service: Service) -> None:
    net = service.net
    client, macs = net.client, Ether(src=net.client.eth0.mac, dst=net.lb.eth0.mac)
    far = "203.0.113.7"  # no server has a route to it, and so none answers
    for port in range(30_000, 30_008):
        syn = macs / IP(src=far, dst=VIP) / TCP(sport=port, dport=80, flags="S")
        quoted = IP(src=VIP, dst=far) / TCP(sport=80, dport=port, flags="A")
        too_big = macs / IP(src="192.0.2.200", dst=VIP) / ICMP(type=3, code=4) / quoted
        options = IP(src=far, dst=VIP, options=[b"\x94\x04\x00\x00"])
        data = macs / options / TCP(sport=port, dport=80, flags="A")
        to = where(net, [frame(one, client.eth0) for one in (syn, too_big, data)])
        assert to == to[:1] * 3


def test_what_has_no_ports_or_is_cut_off_is_left_to_the_stack(service: Service) -> None:
    net = service.net

    def counted() -> list[float]:
        found = service.metrics()
        served = sum(n for name, n in found.items() if name.startswith("packets_total"))
        return [served, found["other_packets_total"]]

    served, other = counted()
    macs = Ether(src=net.client.eth0.mac, dst=net.lb.eth0.mac)
    ip = IP(src=net.client.address, dst=VIP)
    whole = frame(macs / ip / TCP(dport=80, flags="S"), net.client.eth0)
    later = IP(src=net.client.address, dst=VIP, frag=3)
    stranger = Ether(src=net.client.eth0.mac, dst="02:00:00:00:99:99")
    odd = [
        *(whole[:length] for length in (14, 20, 33, 34, 37)),
        frame(macs / later / Raw(bytes(40)), net.client.eth0),
        frame(macs / ip / ICMP(), net.client.eth0),
        frame(stranger / ip / TCP(dport=80, flags="S"), net.client.eth0),
    ]
    port = net.lb.eth0.peer  # a switch drops what says that it is longer than it is
    send(port, odd)
    until(lambda: counted()[1] >= other + len(odd))
    assert counted()[0] == served
    send(port, whole[:38])  # the ports are there, flags are not: nothing to remember by
    until(lambda: counted()[0] == served + 1)


def test_ipv6(net: Network, copy: Copy) -> None:
    service = Service(net, copy)
    try:
        service.write(ALL)
        text = service.file.read_text()
        service.file.write_text(text.replace(f'"{VIP}"', '"2001:db8:10::10"'))
        service.start()
        connections = Connections(net, 100, ipv6=True)
        assert connections.broken == 0 and len(set(connections.at)) == 5
        service.file.write_text(text)
        service.reload()
        assert connections.check().broken == 100  # lb's own stack answers: nobody listens
    finally:
        service.down()
