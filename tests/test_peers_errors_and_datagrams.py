"""Servers that share a VIP: what is no connection reaches the server that it is for."""

from __future__ import annotations

import contextlib
import socket

import pytest
from scapy.layers.inet6 import ICMPv6PacketTooBig
from support.peers import (
    ALL,
    WITHOUT_S2,
    change,
    listening,
    net_of,
    owners,
    readable,
    way_of,
    with_each,
)

from labsetup import (
    ICMP,
    VIP,
    VIP6,
    Connections,
    capture,
)
from labsetup.balancing import hashing

LARGE = 6000  # bytes, more than fit into a packet


@with_each
@pytest.mark.parametrize("ipv6", [False, True], ids=["IPv4", "IPv6"])
def test_an_error_reaches_the_server_that_it_is_for(peers, ipv6):
    """On the way to the client packets get too large; who sent one must learn of it."""
    net, forgiving = net_of(peers), way_of(peers) != "to_owner"
    change(peers, *ALL)
    Connections(net, 1).close()  # it starts the services
    near, size = ("2001:db8:1::/64 metric 256", 1280) if ipv6 else ("192.0.2.0/26", 600)
    with contextlib.ExitStack() as stack:
        stack.callback(net.router.run, f"ip route replace {near} dev eth0")
        with net.client.inside():
            visitors = [
                stack.enter_context(socket.create_connection((VIP6 if ipv6 else VIP, 80), 2))
                for _ in range(40)
            ]
        at = {one.recv(10).decode().strip() for one in visitors}
        assert at == set(ALL)
        if forgiving:
            change(peers, *WITHOUT_S2)
        assert net.router.run(f"ip route replace {near} dev eth0 mtu {size}").status == 0
        with capture(net.router.eth1) as seen:
            for one in visitors:
                one.settimeout(5)
                one.sendall(bytes(LARGE))
                left = LARGE
                while left:
                    left -= len(one.recv(left))
    about = ICMPv6PacketTooBig if ipv6 else ICMP
    errors = [one for one in seen if one.sent and about in one.packet]
    assert len(errors) >= len(at)


@with_each
def test_datagrams_whole_and_in_fragments(peers):
    """All fragments of a datagram meet at one server; whole ones go to the owner of their flow."""
    net, ports = net_of(peers), range(7000, 7040)
    change(peers, *ALL)
    got: dict[tuple[int, int], str] = {}
    with listening(peers, 4000, socket.SOCK_DGRAM) as servers, net.client.inside():
        for size in (100, 4000):
            for port in ports:
                with socket.socket(type=socket.SOCK_DGRAM) as one:
                    one.bind(("", port))
                    one.settimeout(2)
                    one.sendto(bytes(size), (VIP, 4000))
                    ready = readable(servers, 2)
                    assert ready, f"no server got {size} bytes from port {port}"
                    ready[0].sendto(*ready[0].recvfrom(65535))
                    assert one.recv(65535) == bytes(size)
                got[size, port] = servers[ready[0]]
    flows = hashing.random_flows(len(ports))
    flows["source"][:, 12:], flows["protocol"] = (192, 0, 2, 1), socket.IPPROTO_UDP
    flows["ports"] = [(port, 4000) for port in ports]
    neighbours = way_of(peers) == "neighbours"
    expected = peers.next_hops(flows) if neighbours else owners(flows, ALL)
    assert [got[100, port] for port in ports] == list(expected)
    assert len({got[4000, port] for port in ports}) == 1
    for vip in (VIP, VIP6):
        assert net.client.ping(vip, count=3, interval=0.01).received == 3
