"""Servers that share a VIP with nobody in front: real connections while the servers change.

XDP_LAB_REPEATS sets how often each change is tried, XDP_LAB_SEED repeats a run that failed.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from support.peers import (
    ALL,
    CHANGES,
    ELSEWHERE,
    WITHOUT_S2,
    change,
    listening,
    net_of,
    owners,
    readable,
    route,
    with_either,
    with_mercy,
    with_second_chance,
)

from labsetup import (
    IP,
    TCP,
    VIP,
    Connections,
    Ether,
    LabError,
    Raw,
    capture,
    send,
    services,
)
from labsetup.apart import crowding
from labsetup.balancing.peers import Peers
from labsetup.packets.craft import frame

REPEATS = int(os.environ.get("XDP_LAB_REPEATS", "3"))


@with_either
@pytest.mark.parametrize("ipv6", [False, True], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("what", CHANGES)
def test_whose_connections_break(peers, what, ipv6):
    """Second chance: a dead server's own, and no other. Without: those whose owner changed."""
    before, steps = CHANGES[what]
    forgiving = peers["s1"].program.name == "second_chance"
    for _ in range(1 if ipv6 or not forgiving else REPEATS):
        change(peers, *before)
        connections = Connections(net_of(peers), 300, ipv6=ipv6)
        served = connections.at
        assert connections.broken == 0
        assert (served == owners(connections.flows, before)).all()
        lost = np.zeros(300, bool)
        for step in steps:
            step(peers)
            moved = served != owners(connections.flows, peers["s1"].servers)
            lost |= served == "s2" if what == "crash" else moved & (not forgiving)
            assert (connections.check().alive == ~lost).all(), connections
        if what == "crash":
            dead = [one.program["servers"][ALL.index("s2")] for one in peers.values()]
            assert all(server["mac"] == bytes(6) for server in dead)
        print(f"\n{what}, {'IPv6' if ipv6 else 'IPv4'}: {connections.broken} of 300 broken")
        assert lost.any() == (what == "crash" or (what != "restart" and not forgiving))
        connections.close()


@with_second_chance
def test_a_row_keeps_its_second_chance_while_other_rows_change(peers):
    """What two changes in a row break: the flows that had three owners, and no others."""
    change(peers, *ALL)
    connections = Connections(net_of(peers), 300)
    change(peers, *WITHOUT_S2)
    second = owners(connections.flows, WITHOUT_S2)
    change(peers, "s1", "s4")
    third = owners(connections.flows, ("s1", "s4"))
    thrice = (connections.at != second) & (second != third)
    assert 0 < thrice.sum() < 60
    # A flow may be lucky: the router may send it where its connection is.
    assert not (~connections.check().alive & ~thrice).any(), connections
    connections.close()


@with_mercy
def test_new_connections_never_fail_while_the_servers_change(peers):
    """1,000 that begin while one change after another reaches one server after another."""
    net = net_of(peers)
    change(peers, *ALL)
    Connections(net, 1).close()  # it starts the services
    opened, failed, ended = Counter[str](), list[OSError](), threading.Event()

    def visit(sources: range) -> None:
        with net.client.inside():
            for port in sources:
                if ended.is_set():
                    return
                try:
                    with socket.create_connection((VIP, 80), 2, ("", port)) as one:
                        opened[one.recv(10).decode().strip()] += 1
                except OSError as error:
                    failed.append(error)

    ports = [range(at, at + 5000) for at in (33_000, 38_000, 43_000)]
    visitors = [threading.Thread(target=visit, args=(some,)) for some in ports]
    for one in visitors:
        one.start()
    changes, patience = 0, time.monotonic() + 30
    while (changes < 20 or opened.total() < 1000) and time.monotonic() < patience:
        change(peers, *(WITHOUT_S2, ALL)[changes % 2])
        changes += 1
    ended.set()
    for one in visitors:
        one.join(5)
    print(f"\n{opened.total()} connections in {changes} changes, {dict(opened)}")
    assert not failed
    assert changes >= 20 and opened.total() >= 1000
    assert set(opened) == set(ALL)


@contextlib.contextmanager
def cookies(peers: Peers, always: bool) -> Iterator[None]:
    """Whether the servers answer each SYN with a cookie instead of remembering it."""
    for name in ALL:
        net_of(peers).hosts[name].run(f"sysctl -w net.ipv4.tcp_syncookies={1 + always}")
    yield
    for name in ALL:
        net_of(peers).hosts[name].run("sysctl -w net.ipv4.tcp_syncookies=1")


@pytest.mark.alone
@with_mercy
@pytest.mark.parametrize("always", [False, True], ids=["half-open", "cookies"])
@pytest.mark.parametrize("what", ["drain", "add", "flap"])
def test_handshakes_end_well_though_the_servers_change_within(peers, what, always):
    net, client = net_of(peers), net_of(peers).client
    before, steps = CHANGES[what]
    change(peers, *before)
    Connections(net, 1).close()  # new services: none has connections
    begun = [(f"{ELSEWHERE}.{n % 250 + 1}", random.randrange(1024, 65536)) for n in range(150)]
    to_router = Ether(src=client.eth0.mac, dst=client.eth0.peer.mac)

    def packet(source: str, **segment):
        return frame(to_router / IP(src=source, dst=VIP) / TCP(dport=80, **segment))

    with cookies(peers, always):
        with capture(client.eth0) as seen:
            send(client.eth0, [packet(a, sport=p, flags="S", seq=9) for a, p in begun])
            seen.stop(quiet=0.2 * crowding())
        answers = {
            (one.packet[IP].dst, one.packet[TCP].dport): one.packet[TCP].seq
            for one in seen
            if not one.sent and TCP in one.packet and one.packet[TCP].flags == "SA"
        }
        assert len(answers) == len(set(begun))
        for step in steps:
            step(peers)
        with capture(client.eth0) as seen:
            acks = [
                packet(a, sport=p, flags="A", seq=10, ack=number + 1)
                for (a, p), number in answers.items()
            ]
            send(client.eth0, acks)
            limit = time.monotonic() + 3 * crowding()
            while _connections(net) < len(answers) and time.monotonic() < limit:
                time.sleep(0.01)  # polls: the services' loop tells nobody
            seen.stop(quiet=0.2 * crowding())
    greeted = {
        (one.packet[IP].dst, one.packet[TCP].dport)
        for one in seen
        if not one.sent and Raw in one.packet and one.packet[Raw].load.startswith(b"s")
    }
    resets = [one for one in seen if TCP in one.packet and "R" in one.packet[TCP].flags]
    assert not resets
    assert greeted == set(answers)


def _connections(net) -> int:
    return sum(service.connections for service in services(net).values())


@with_second_chance
def test_ports_are_used_again_though_a_server_remembers_them(peers):
    """For a minute, in TIME_WAIT.  The router sends all to that server first."""
    net, ports = net_of(peers), range(9100, 9180)
    change(peers, *ALL)
    route(net, ["s2"])

    def visit(port: int) -> str:
        with net.client.inside():
            one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.settimeout(2)
        with one:
            one.bind(("", port))
            one.connect((VIP, 81))
            one.sendall(b"?")
            ready = readable(servers, 2)
            assert ready, f"no server got the connection from port {port}"
            with ready[0].accept()[0] as served:
                served.settimeout(2)
                served.sendall(served.recv(1))
                assert one.recv(1) == b"?"
            assert one.recv(1) == b""  # the server closes first
        return servers[ready[0]]

    with listening(peers, 81) as servers:
        first = [visit(port) for port in ports]
        assert net.s2.run("ss -Htn state time-wait").output.count("\n") == first.count("s2") > 5
        peers.use(*WITHOUT_S2)
        assert "s2" not in [visit(port) for port in ports]


@with_second_chance
def test_a_server_that_is_not_there(peers):
    with pytest.raises(LabError, match="no server s9 has the program; there are s1, s2, s3, s4"):
        peers["s9"]
