"""Real TCP connections: opened, held, lost, counted."""

import os
import time

import pytest

from labsetup import VIP, VIP6, Connections, LabError, balanced, capture, services, two_hosts
from labsetup.apart import crowding
from labsetup.practice import exercise as exercises
from labsetup.practice.judge import judge


@pytest.fixture
def straight():
    """A network in which the client's packets for the VIP go to s1, with no balancer between."""
    net = balanced(1, ipv6=True)
    net.client.run(f"ip route replace {VIP} via 192.0.2.11")
    net.client.run(f"ip -6 route replace {VIP6} via 2001:db8::11")
    yield net
    net.close()


@pytest.mark.parametrize("ipv6", [False, True])
def test_connections_open_and_answer(straight, ipv6):
    connections = Connections(straight, 300, ipv6=ipv6)
    assert connections.check().broken == 0
    assert set(connections.at) == {"s1"}
    assert services(straight)["s1"].connections == 300
    assert len(set(connections.flows["ports"][:, 0])) == 300
    assert "s1" in repr(connections) and "300" in repr(connections)


def test_a_killed_server_resets(straight):
    connections = Connections(straight, 100)
    services(straight)["s1"].stop()
    assert connections.check().tallies[0].reset == 100


@pytest.mark.alone
def test_a_dead_link_times_out_within_the_limit(straight):
    connections = Connections(straight, 100, wait=0.5)
    straight.s1.run("ip link set eth0 down")
    begun = time.monotonic()
    assert connections.check().tallies[0].timed_out == 100
    assert time.monotonic() - begun < 1 + 0.5 * crowding()


def test_nobody_listens(straight):
    straight.client.run(f"ip route replace {VIP} via 192.0.2.2")  # lb: no server
    [_, nobody] = Connections(straight, 50).tallies
    assert (nobody.server, nobody.reset) == ("nobody", 50)


def test_the_second_trial_is_not_the_first(straight):
    first = Connections(straight, 100)
    second = Connections(straight, 100)
    assert second.check().broken == 0
    assert first.check().broken == 100  # its servers were started afresh
    assert not set(first.flows["ports"][:, 0]) & set(second.flows["ports"][:, 0])


def test_what_cannot_be_opened(straight):
    with pytest.raises(LabError, match="1 to 10,000"):
        Connections(straight, 0)
    with pytest.raises(LabError, match="no IPv4 VIP"):
        Connections(two_hosts(), 10)


def test_a_closed_network_leaves_no_socket_open(straight):
    Connections(straight, 100)
    opened = len(os.listdir("/proc/self/fd"))
    straight.close()
    deadline = time.monotonic() + 2
    while len(os.listdir("/proc/self/fd")) > opened - 200 and time.monotonic() < deadline:
        time.sleep(0.01)  # polls: the loop's thread closes them
    assert len(os.listdir("/proc/self/fd")) <= opened - 200


def test_a_capture_among_a_thousand_open_files(straight):
    connections = Connections(straight, 600)  # both ends are files of this process
    with capture(straight.client) as wire:
        straight.client.ping(straight.s1, count=1)
    assert len(wire) >= 2 and connections.broken == 0


def test_a_check_has_connections_of_its_own(straight):
    Connections(straight, 5)  # its loop's thread does not come along into the check's process
    drain = exercises.find("7.4")
    assert judge(drain, drain.solution).ok
