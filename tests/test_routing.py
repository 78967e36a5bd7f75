"""The router that splits flows among next hops: by hand, and over BGP."""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
import time
from typing import Any

import numpy as np
import pytest

from labsetup import (
    IP,
    TCP,
    UDP,
    VIP,
    VIP6,
    Bgp,
    Ether,
    IPv6,
    LabError,
    capture,
    collateral,
    ecmp,
    moved,
    next_hops,
    no_balancer,
    random_flows,
)
from labsetup.packets.craft import frame

TEXT: Any = "text"  # where no text belongs


CLIENTS = {False: "203.0.113.0/24", True: "2001:db8:1::/64"}
with_bird = pytest.mark.skipif(not shutil.which("bird"), reason="BIRD is not installed (bird2)")


@pytest.fixture
def net():
    """Four servers, with both versions of IP."""
    with_servers = no_balancer(ipv6=True)
    yield with_servers
    with_servers.close()


def test_random_flows_of_some_clients():
    any_address, of_a_network = random_flows(500), random_flows(500, clients=CLIENTS[False])
    assert set(map(bytes, of_a_network["source"][:, :15])) == {bytes(10) + b"\xff\xff\xcb\0\x71"}
    assert len(np.unique(of_a_network["source"][:, 15])) > 200
    assert (of_a_network["ports"] == any_address["ports"]).all()


@pytest.mark.parametrize("ipv6", [False, True])
def test_a_next_hop_less_or_more_moves_what_rfc_2992_says(ipv6):
    net, policy = no_balancer(5, ipv6), 1 if ipv6 else 3
    names = list(net.vip_hosts)
    flows = random_flows(3000, seed=8, ipv6=ipv6, clients=CLIENTS[ipv6])
    ecmp(net, policy=policy)
    before = next_hops(net, flows)
    for k in (1, 2, 3):
        ecmp(net, names[: k - 1] + names[k:], policy=policy)
        predicted = (k * (k - 1) + (5 - k) * (5 - k + 1)) / (2 * 5 * 4)
        assert abs(moved(before, next_hops(net, flows)) - predicted) < 0.04
    ecmp(net, names[:4], policy=policy)
    with_four = next_hops(net, flows)
    ecmp(net, policy=policy)
    assert (next_hops(net, flows) == before).all()
    assert abs(moved(with_four, before) - 0.5) < 0.04


@pytest.mark.parametrize("ipv6", [False, True])
def test_a_resilient_group_moves_no_other_flow_and_depends_on_history(ipv6):
    net, policy = no_balancer(5, ipv6), 1 if ipv6 else 3
    flows = random_flows(3000, seed=8, ipv6=ipv6, clients=CLIENTS[ipv6])
    ecmp(net, resilient=True, policy=policy)
    before = next_hops(net, flows)
    ecmp(net, ["s1", "s2", "s4", "s5"], resilient=True, policy=policy)
    without = next_hops(net, flows)
    assert abs(moved(before, without) - 0.2) < 0.04
    assert collateral(before, without) == 0
    ecmp(net, resilient=True, policy=policy)
    assert (next_hops(net, flows) == without).all(), "a server that came back got buckets in use"


@pytest.mark.parametrize("protocol", [UDP, TCP])
@pytest.mark.parametrize("ipv6", [False, True])
def test_packets_go_where_the_router_says(net, protocol, ipv6):
    ecmp(net, ["s2", "s3", "s4"], policy=1 if ipv6 else 3)
    flows = random_flows(50, seed=3, ipv6=ipv6, clients=CLIENTS[ipv6])
    flows["protocol"] = 6 if protocol is TCP else 17
    flows["ports"][:, 0] = ports = list(range(40000, 40050))
    ip, vip = (IPv6, VIP6) if ipv6 else (IP, VIP)
    with (
        capture(*(net.hosts[name].eth0 for name in net.vip_hosts)) as wire,
        net.client.inside(),
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out,
    ):
        out.bind(("eth0", 0))
        for row, port in zip(flows, ports, strict=True):
            family = socket.AF_INET6 if ipv6 else socket.AF_INET
            source = socket.inet_ntop(family, bytes(row["source"])[0 if ipv6 else 12 :])
            packet = ip(src=source, dst=vip) / protocol(sport=port, dport=80)
            out.send(frame(packet, net.client.eth0))
    arrived = {
        seen.packet[protocol].sport: seen.interface.host.name
        for seen in wire
        # The switch floods frames until it has learned where a server is.
        if seen.packet[Ether].dst == seen.interface.mac and protocol in seen.packet
    }
    assert [arrived[port] for port in ports] == list(next_hops(net, flows))


def arrivals(net, ports, vip=VIP):
    """Connect from each port of the client, and say which server took the connection."""
    family = socket.AF_INET6 if ":" in vip else socket.AF_INET
    took = {}
    with contextlib.ExitStack() as stack:
        listeners = {}
        for name in net.vip_hosts:
            with net.hosts[name].inside():
                listener = socket.create_server((vip, 80), family=family, backlog=500)
            listeners[name] = stack.enter_context(listener)
            listener.setblocking(False)
        for port in ports:
            with net.client.inside():
                ours = stack.enter_context(socket.socket(family))
            # Reset at the end: the same port is then free at once.
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            ours.settimeout(2)
            ours.bind(("", port))
            ours.connect((vip, 80))
        for name, listener in listeners.items():
            with contextlib.suppress(BlockingIOError):
                while True:
                    connection, peer = listener.accept()
                    stack.enter_context(connection)
                    took[peer[1]] = name
    return [took.get(port) for port in ports]


def test_connections_reach_the_server_that_the_router_says(net):
    ecmp(net)
    ports = range(40000, 40200)
    assert arrivals(net, ports) == list(next_hops(net, [("192.0.2.1", port) for port in ports]))


def test_connections_over_ipv6_reach_a_server_each_time_the_same(net):
    ecmp(net)
    ports = range(40000, 40200)
    first = arrivals(net, ports, VIP6)
    assert set(first) == set(net.vip_hosts)
    assert arrivals(net, ports, VIP6) == first


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_with_policy_1_the_same_five_tuple_goes_here_and_there(net, vip):
    ecmp(net, policy=1)
    client = "192.0.2.1" if vip == VIP else "2001:db8:1::1"
    assert len(set(next_hops(net, [(client, 40000)] * 25))) == 1, "what is asked has no socket"
    assert len({arrivals(net, [40000], vip)[0] for _ in range(25)}) > 1
    result = ecmp(net, policy=3)
    assert "sysctl -w net.ipv4.fib_multipath_hash_policy=3" in result.command
    assert len({arrivals(net, [40000], vip)[0] for _ in range(25)}) == 1


def test_a_change_loses_no_packet(net):
    ecmp(net)
    for resilient in (False, True, False):
        ping = net.client.start(f"ping -i 0.002 -c 100 -q {VIP}")
        for _ in range(10):
            ecmp(net, ["s1", "s3"], resilient)
            ecmp(net, None, resilient)
        ping.wait_for("100 packets transmitted, 100 received")


def test_only_what_changes_is_done(net):
    assert "nexthop add" in ecmp(net).command
    again = ecmp(net, ["s1", "s4"])
    assert again.command == (
        "ip netns exec router ip nexthop replace id 100 group 1/4\n"
        "$ ip netns exec router ip nexthop replace id 6100 group 6001/6004"
    )
    assert again.output.startswith(
        "198.51.100.10 nhid 100 metric 20\n\tnexthop via 192.0.2.71 dev eth1 weight 1\n"
    )


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda net: ecmp(net, ["s9"]), "there is no server s9; there are: s1, s2, s3, s4"),
        (lambda net: ecmp(net, []), "name at least one server"),
        (lambda net: ecmp(net, ["s1", "s1"]), "each once"),
        (lambda net: ecmp(TEXT), "such as no_balancer()"),
        (lambda net: ecmp(net, policy=9), "no hash policy 9"),
        (lambda net: next_hops(net, [("192.0.2.1", 40000)]), "the router refuses «ip route get"),
        (lambda net: ecmp(net) and next_hops(net, [("224.0.0.1", 1)]), "Invalid argument"),
        (lambda net: next_hops(no_balancer(), [("2001:db8:1::1", 1)]), "no VIP of IPv6"),
        (lambda net: ecmp(net) and next_hops(net, [("2001:db8:1::1", 1)]), "ask under policy 1"),
    ],
)
def test_each_mistake_gets_a_sentence(net, act, sentence):
    with pytest.raises(LabError) as caught:
        act(net)
    assert sentence in str(caught.value)


def test_without_bird_it_is_said_what_to_type(net, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LabError, match="BIRD is not installed"):
        Bgp(net)


@with_bird
@pytest.mark.alone
def test_servers_come_and_go_over_bgp(net):
    ecmp(net)
    begun = time.monotonic()
    bgp = Bgp(net, ["s1", "s2", "s3"])
    assert time.monotonic() - begun < 5
    assert "proto bird metric 32\n\tnexthop via 192.0.2.71 dev eth1 weight 1" in bgp.routes
    assert "nhid" not in bgp.routes
    ports = range(41000, 41200)
    chosen = next_hops(net, [("192.0.2.1", port) for port in ports])
    assert set(chosen) == {"s1", "s2", "s3"}
    assert arrivals(net, ports) == list(chosen)
    assert set(arrivals(net, ports, VIP6)) == {"s1", "s2", "s3"}

    assert "vip4: disabled\nvip6: disabled" in bgp.withdraw("s2")
    assert bgp.wait() < 1
    assert "192.0.2.72" not in bgp.routes
    bgp.announce("s2")
    assert bgp.wait() < 1
    bgp.announce("s4")
    bgp.wait()
    assert set(next_hops(net, [("192.0.2.1", port) for port in ports])) == set(net.vip_hosts)
    bgp.restart()
    bgp.wait()
    bgp.stop()
    assert (bgp.routes, repr(bgp)) == ("", "no route to the VIP")


@with_bird
def test_a_server_that_falls_silent_is_found_out_by_bfd():
    net = no_balancer(2)
    bgp = Bgp(net)
    bgp.crash("s2")
    assert bgp.wait() < 8  # half a second on a quiet machine; BGP's own hold time is 240 s
    assert arrivals(net, range(42000, 42005)) == ["s1"] * 5
    with pytest.raises(LabError, match=r"s2 does not speak BGP; announce\('s2'\)"):
        bgp.withdraw("s2")
    bgp.announce("s2")
    bgp.wait()
    assert net.client.ping(net.s2).received == 3


@with_bird
def test_a_wait_for_bgp_ends(net):
    bgp = Bgp(net, ["s1"])
    with pytest.raises(LabError, match=r"after 0.2 s .* 192.0.2.71, .*, and not those of s1, s2"):
        bgp.wait(["s1", "s2"], timeout=0.2)
    net.s1.run("birdc -s /run/xdp-lab/s1.ctl down")
    with pytest.raises(LabError, match="has ended"):
        bgp.wait(timeout=5)
