"""What lesson 05 says of veth: GRO at the peer, which native XDP sends to, in all four cases.

`labsetup/lab test --vm` runs these on stock kernels too.
"""

from __future__ import annotations

import pytest

from labsetup import ICMP, IP, Ether, Program, RedirectErrors, capture, send, two_hosts
from labsetup.lessons.lesson_05_send_back import rooms

EXPERIMENT = Ether(type=0x88B5) / b"experiment"


def arrive(interface, frame, at, number=10):
    """How many frames come in at an interface once some were sent from another."""
    with capture(at) as wire:
        send(interface, frame, count=number)
    return sum(not seen.sent for seen in wire)


@pytest.fixture
def swapped():
    net = two_hosts()
    Program("mac_swap").attach(net.server.eth0, helper=False)
    yield net
    net.close()


@pytest.fixture
def forwarding():
    net = rooms.HALL.build()
    net.server.run("ip link set eth0 xdp off")
    yield net
    net.close()


def test_tx_without_gro_is_an_error(swapped):
    server = swapped.server.eth0
    assert arrive(swapped.client.eth0, EXPERIMENT, swapped.client.eth0) == 0
    assert server.counters["xdp_tx_errors"] == 10
    assert server.counters["xdp_tx"] == 0


def test_tx_with_gro_is_counted_as_sent_and_comes_with_the_next_frame(swapped):
    client, server = swapped.client.eth0, swapped.server.eth0
    swapped.client.run("ethtool -K eth0 gro on")
    before = server.counters
    assert arrive(client, EXPERIMENT, client) == 0
    counted = server.counters - before
    assert counted["xdp_tx"] == 10
    assert counted["tx_packets"] == 0  # veth counts these where the other end takes them in
    assert counted["xdp_tx_errors"] == counted["drops"] == counted["tx_dropped"] == 0
    assert arrive(server, EXPERIMENT, client, number=1) == 11
    assert (server.counters - before)["tx_packets"] == 11


@pytest.mark.parametrize("gro", ["off", "on"])
def test_tx_with_a_program_at_the_peer(swapped, gro):
    swapped.client.run(f"ethtool -K eth0 gro {gro}")
    Program("xdp_pass").attach(swapped.client.eth0)
    assert arrive(swapped.client.eth0, EXPERIMENT, swapped.client.eth0) == 10


def reply_to(net):
    return IP(dst=str(net.server.eth0.addresses[0].ip)) / ICMP(type=0)  # nobody answers it


def test_redirect_without_gro_goes_nowhere(forwarding):
    net = forwarding
    with RedirectErrors() as lost:
        assert arrive(net.client.eth0, reply_to(net), net.server.eth0) == 0
    assert lost.of(net.middle.eth0).total == 10
    ((_, where, why),) = lost.of(net.middle.eth0).rows
    assert where == "eth1"
    assert "once its other end " in why and why.endswith("a program or GRO")


def test_redirect_with_gro_arrives(forwarding):
    net = forwarding
    net.server.run("ethtool -K eth0 gro on")
    with RedirectErrors() as lost:
        assert arrive(net.client.eth0, reply_to(net), net.server.eth0) == 10
    assert not lost.of(net.middle.eth0).total
