"""Servers that share a VIP with nobody in front: how they change, and sockets at the VIP."""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
from collections.abc import Iterator, Sequence

import pytest

from labsetup import VIP, VIP6, Neighbours, no_balancer, services
from labsetup.balancing import hashing
from labsetup.balancing.peers import Peers

with_second_chance = pytest.mark.parametrize(
    "peers", ["second_chance"], indirect=True, scope="module"
)

with_either = pytest.mark.parametrize(
    "peers", ["second_chance", "to_owner"], indirect=True, scope="module"
)

# Those that lose no connection of a server that lives.
with_mercy = pytest.mark.parametrize(
    "peers", ["second_chance", "neighbours"], indirect=True, scope="module"
)

with_each = pytest.mark.parametrize(
    "peers", ["second_chance", "to_owner", "neighbours"], indirect=True, scope="module"
)

KEY = (0x0123456789ABCDEF, 0xFEDCBA9876543210)
ALL = ("s1", "s2", "s3", "s4")
WITHOUT_S2 = ("s1", "s3", "s4")
WITHOUT_S4 = ("s1", "s2", "s3")
ELSEWHERE = "203.0.113"  # behind the client, which says nothing to what is sent there


def route(net, servers: Sequence[str]) -> None:
    """Give the router equal-cost next hops for the VIP, in one step."""
    for version, vip in ((4, VIP), (6, VIP6)):
        hops = []
        for name in servers:
            has = net.hosts[name].eth0.addresses
            hops += ["nexthop", "via", *(str(one.ip) for one in has if one.version == version)]
        ran = net.router.run(["ip", f"-{version}", "route", "replace", vip, *hops])
        assert ran.status == 0, ran


@contextlib.contextmanager
def behind_a_router(program: str) -> Iterator[Peers | Neighbours]:
    """Four servers that run the program, and a router that spreads flows by five-tuple."""
    net = no_balancer(ipv6=True)
    for version in (4, 6):
        hashed = f"net.ipv{version}.fib_multipath_hash_"
        assert net.router.run(f"sysctl -w {hashed}policy=3 {hashed}fields=0x37").status == 0
    net.router.run(f"ip route add {ELSEWHERE}.0/24 via 192.0.2.1")
    route(net, ALL)
    yield Neighbours(net) if program == "neighbours" else Peers(net, program, KEY)
    net.close()


def net_of(peers: Peers | Neighbours):
    return peers.net if isinstance(peers, Neighbours) else peers["s1"].net


def way_of(peers: Peers | Neighbours) -> str:
    return "neighbours" if isinstance(peers, Neighbours) else peers["s1"].program.name


def change(peers: Peers | Neighbours, *servers: str, gone: Sequence[str] = ()) -> None:
    """Take servers out or in, at the servers and at the router."""
    peers.use(*servers, gone=gone)
    if isinstance(peers, Peers):
        route(net_of(peers), servers)


def restart(peers: Peers | Neighbours) -> None:
    """The router forgets its routes, its neighbours and, where the kernel lets it, its seed."""
    if isinstance(peers, Neighbours):
        peers.restart_router()
        peers.use()
        return
    router = net_of(peers).router
    for words in (f"ip route del {VIP}", f"ip -6 route del {VIP6}", "ip neigh flush all"):
        assert router.run(words).status == 0
    router.run(f"sysctl -w net.ipv4.fib_multipath_hash_seed={random.randrange(1, 2**31)}")
    route(net_of(peers), ("s4", "s2", "s1", "s3"))


def crash(peers: Peers | Neighbours) -> None:
    services(net_of(peers))["s2"].stop()
    change(peers, *WITHOUT_S2, gone=["s2"])


# Servers before, and what happens then, step by step.
CHANGES = {
    "drain": (ALL, [lambda peers: change(peers, *WITHOUT_S2)]),
    "add": (WITHOUT_S4, [lambda peers: change(peers, *ALL)]),
    "flap": (ALL, [lambda peers: change(peers, *WITHOUT_S2), lambda peers: change(peers, *ALL)]),
    "restart": (ALL, [restart]),
    "crash": (ALL, [crash]),
}


def owners(flows, servers: Sequence[str]):
    return hashing.table(hashing.flow_hash(flows, KEY), servers)


@contextlib.contextmanager
def listening(peers: Peers | Neighbours, port: int, kind=socket.SOCK_STREAM) -> Iterator[dict]:
    """A socket on each server, at the VIP; each by what it is."""
    with contextlib.ExitStack() as stack:
        names = {}
        for name in ALL:
            with net_of(peers).hosts[name].inside():
                one = stack.enter_context(socket.socket(socket.AF_INET, kind))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((VIP, port))
            if kind == socket.SOCK_STREAM:
                one.listen(500)
            names[one] = name
        yield names


def readable(sockets, seconds: float) -> list:
    """Those of some sockets from which one can read, after this many seconds at most."""
    with selectors.DefaultSelector() as watched:
        for one in sockets:
            watched.register(one, selectors.EVENT_READ)
        return [key.fileobj for key, _ in watched.select(seconds)]
