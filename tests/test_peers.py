"""Servers that share a VIP with nobody in front: real connections while the servers change.

XDP_LAB_REPEATS sets how often each change is tried, XDP_LAB_SEED repeats a run that failed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6PacketTooBig
from support.models import PASS, TX

from labsetup import (
    ICMP,
    IP,
    TCP,
    UDP,
    VIP,
    VIP6,
    Connections,
    Ether,
    IPv6,
    LabError,
    Raw,
    capture,
    no_balancer,
    send,
    services,
)  # fmt: skip
from labsetup.balancing import hashing
from labsetup.balancing.balancer import NO_OWNER, ROWS
from labsetup.balancing.peers import Peers
from labsetup.libbpf.runs import run_frame
from labsetup.packets.craft import frame
from labsetup.programs.run import VERDICTS

with_second_chance = pytest.mark.parametrize(
    "peers", ["second_chance"], indirect=True, scope="module"
)
with_either = pytest.mark.parametrize(
    "peers", ["second_chance", "to_owner"], indirect=True, scope="module"
)

KEY = (0x0123456789ABCDEF, 0xFEDCBA9876543210)
ALL = ("s1", "s2", "s3", "s4")
WITHOUT_S2 = ("s1", "s3", "s4")
WITHOUT_S4 = ("s1", "s2", "s3")
ELSEWHERE = "203.0.113"  # behind the client, which says nothing to what is sent there
REPEATS = int(os.environ.get("XDP_LAB_REPEATS", "3"))
LARGE = 6000  # bytes, more than fit into a packet


def route(net, servers: Sequence[str]) -> None:
    """Give the router equal-cost next hops for the VIP, in one step."""
    for version, vip in ((4, VIP), (6, VIP6)):
        hops = []
        for name in servers:
            has = net.hosts[name].eth0.addresses
            hops += ["nexthop", "via", *(str(one.ip) for one in has if one.version == version)]
        ran = net.router.run(["ip", f"-{version}", "route", "replace", vip, *hops])
        assert ran.status == 0, ran


@pytest.fixture(scope="module")
def peers(request) -> Iterator[Peers]:
    """Four servers that run the program, and a router that spreads flows by five-tuple."""
    net = no_balancer(ipv6=True)
    for version in (4, 6):
        hashed = f"net.ipv{version}.fib_multipath_hash_"
        assert net.router.run(f"sysctl -w {hashed}policy=3 {hashed}fields=0x37").status == 0
    net.router.run(f"ip route add {ELSEWHERE}.0/24 via 192.0.2.1")
    route(net, ALL)
    yield Peers(net, request.param, KEY)
    net.close()


def net_of(peers: Peers):
    return peers["s1"].net


def change(peers: Peers, *servers: str, gone: Sequence[str] = ()) -> None:
    """Take servers out or in, at the servers and at the router."""
    peers.use(*servers, gone=gone)
    route(net_of(peers), servers)


def restart(peers: Peers) -> None:
    """The router forgets its routes, its neighbours and, where the kernel lets it, its seed."""
    router = net_of(peers).router
    for words in (f"ip route del {VIP}", f"ip -6 route del {VIP6}", "ip neigh flush all"):
        assert router.run(words).status == 0
    router.run(f"sysctl -w net.ipv4.fib_multipath_hash_seed={random.randrange(1, 2**31)}")
    route(net_of(peers), ("s4", "s2", "s1", "s3"))


def crash(peers: Peers) -> None:
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


@with_second_chance
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

    visitors = [threading.Thread(target=visit, args=(range(at, at + 5000),))
                for at in (33_000, 38_000, 43_000)]  # fmt: skip
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


@with_second_chance
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
            seen.stop(quiet=0.2)
        answers = {
            (one.packet[IP].dst, one.packet[TCP].dport): one.packet[TCP].seq
            for one in seen
            if not one.sent and TCP in one.packet and one.packet[TCP].flags == "SA"
        }
        assert len(answers) == len(set(begun))
        for step in steps:
            step(peers)
        with capture(client.eth0) as seen:
            send(client.eth0, [
                packet(a, sport=p, flags="A", seq=10, ack=number + 1)
                for (a, p), number in answers.items()
            ])  # fmt: skip
            limit = time.monotonic() + 3
            while _connections(net) < len(answers) and time.monotonic() < limit:
                time.sleep(0.01)  # polls: the services' loop tells nobody
            seen.stop(quiet=0.2)
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


@contextlib.contextmanager
def listening(peers: Peers, port: int, kind=socket.SOCK_STREAM) -> Iterator[dict]:
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


@with_either
@pytest.mark.parametrize("ipv6", [False, True], ids=["IPv4", "IPv6"])
def test_an_error_reaches_the_server_that_it_is_for(peers, ipv6):
    """On the way to the client packets get too large; who sent one must learn of it."""
    net, forgiving = net_of(peers), peers["s1"].program.name == "second_chance"
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


@with_either
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
    assert [got[100, port] for port in ports] == list(owners(flows, ALL))
    assert len({got[4000, port] for port in ports}) == 1
    for vip in (VIP, VIP6):
        assert net.client.ping(vip, count=3, interval=0.01).received == 3


@functools.cache
def _templates() -> list[tuple[int, bytes]]:
    """Packets of every kind for the VIP, each with the place of its client's port, if it has one.

    The VIP's own addresses stay, and so do IPv4's header and its checksum: a bridge may look.
    """
    made: list[tuple[int, Ether]] = []
    for number in range(1, 9):
        four = IP(src=f"{ELSEWHERE}.{number}", dst=VIP)
        six = IPv6(src=f"2001:db8:7::{number}", dst=VIP6)
        loads = [TCP(dport=80, flags=f) for f in ("S", "SA", "A", "A", "PA", "FA", "R", "")]
        loads.append(UDP(dport=80))
        made += [(34, four / load) for load in loads] + [(38, four / ICMP())]
        made += [(54, six / load) for load in loads] + [(58, six / ICMPv6EchoRequest())]
        for way in ({"flags": "MF"}, {"frag": 9}):
            made.append((34, IP(src=four.src, dst=VIP, **way) / UDP(dport=80)))
        back, back6 = IP(src=VIP, dst=four.src), IPv6(src=VIP6, dst=six.src)
        made.append((64, IP(dst=VIP) / ICMP(type=3, code=4) / back / TCP(sport=80)))
        made.append((104, six / ICMPv6PacketTooBig() / back6 / TCP(sport=80)))
    return [(at, frame(Ether() / packet)) for at, packet in made]


def traffic(peers: Peers, number: int, seed: int) -> list[tuple[str, bytes]]:
    """Such packets with a port by chance, each with the server that it comes to first.

    Some seem to have been handed on before: who is on the link may write anything.
    """
    chance = random.Random(seed)
    router = bytes.fromhex(net_of(peers).router.eth1.mac.replace(":", ""))
    sources = [router[:2]] * 9 + [b"\6\0", b"\6\1", b"\6\2", b"\6\3", b"\6\xff"]
    made = []
    for _ in range(number):
        (at, raw), name = chance.choice(_templates()), chance.choice(ALL)
        ethernet = _mac(peers, name) + chance.choice(sources) + router[2:]
        made.append((name, ethernet + raw[12:at] + chance.randbytes(2) + raw[at + 2 :]))
    return made


def _mac(peers: Peers, name: str) -> bytes:
    return bytes.fromhex(net_of(peers).hosts[name].eth0.mac.replace(":", ""))


def acks(
    peers: Peers, connections: Connections, sources: Sequence[bytes]
) -> list[tuple[str, bytes]]:
    """A packet of each connection as it would come to each server, with a source MAC like these."""
    made = []
    for port in connections.flows["ports"][:, 0]:
        raw = frame(Ether() / IP(src="192.0.2.1", dst=VIP) / TCP(sport=int(port), flags="A"))
        made += [
            (name, _mac(peers, name) + source + bytes(4) + raw[12:])
            for name, source in zip(ALL, sources, strict=True)
        ]
    return made


def follow(peers: Peers, packets: Sequence[tuple[str, bytes]]) -> Counter[int]:
    """Run each packet at its server, and at the next one that it leaves for, until it stays.

    Returns:
        how many packets were handed on how often.
    """
    named, net = {_mac(peers, name): name for name in peers}, net_of(peers)
    often: Counter[int] = Counter()
    under_way = {name: [raw for at, raw in packets if at == name] for name in peers}
    for times in range(10):
        leaving: dict[str, list[bytes]] = {name: [] for name in peers}
        for name, frames in under_way.items():
            fd = peers[name].program.fd
            with net.hosts[name].inside():  # where its sockets are
                for raw in frames:
                    number, after, _ = run_frame(fd, raw)
                    if VERDICTS[number] == TX:
                        assert named[after[:6]] != name
                        assert after[12:] == raw[12:]
                        assert after[6] == 6 and after[8:12] == _mac(peers, name)[2:]
                        leaving[named[after[:6]]].append(after)
                    else:
                        assert (VERDICTS[number], after) == (PASS, raw)
                        often[times] += 1
        under_way = leaving
    assert not any(under_way.values()), "a packet is still under way after ten servers"
    return often


N = len(ALL)
# For each server the place that it believes in now and the one before; None: any, row by row.
DISAGREEMENTS = {
    "random": [(None, None)] * N,
    "ring": [((n + 1) % N, (n + 2) % N) for n in range(N)],
    "ring the other way": [((n - 1) % N, (n + 1) % N) for n in range(N)],
    "each for itself": [(n, (n + 1) % N) for n in range(N)],
    "pairs": [(n ^ 1, n ^ 1) for n in range(N)],
    "half of them changed": [(None, 0), (None, 0), (1, None), (1, None)],
}


@contextlib.contextmanager
def disagreeing(peers: Peers, beliefs: Sequence[tuple[int | None, int | None]], seed: int):
    """Tables that no control side would write, in the place of those in use."""
    chance = np.random.default_rng(seed)
    places = np.array([*range(N), *range(N), NO_OWNER, 1023], np.uint16)

    def column(place: int | None):
        return np.full(ROWS, place, np.uint16) if place is not None else chance.choice(places, ROWS)

    used = {name: peers[name].program["active"][0] for name in peers}
    for (now, before), (name, one) in zip(beliefs, peers.items(), strict=True):
        rows = [column(now), column(before)]
        table = np.stack(rows, axis=1) if one.program.name == "second_chance" else rows[0]
        one.program["tables"][1 - used[name]] = table
        one.program["active"][0] = 1 - used[name]
    try:
        yield
    finally:
        for name, one in peers.items():
            one.program["active"][0] = used[name]


@with_either
def test_nothing_is_handed_on_more_than_twice_whatever_the_tables_say(peers):
    seed = int(os.environ.get("XDP_LAB_SEED", random.randrange(2**32)))
    most = 2 if peers["s1"].program.name == "second_chance" else 1
    change(peers, *ALL)
    connections, often = Connections(net_of(peers), 300), Counter[int]()
    theirs = acks(peers, connections, (b"\2\0", b"\6\1", b"\6\2", b"\2\0"))
    for number, (what, beliefs) in enumerate(DISAGREEMENTS.items()):
        with disagreeing(peers, beliefs, seed + number):
            found = follow(peers, theirs + traffic(peers, 17_000, seed + number))
        print(f"\n{what}: {dict(sorted(found.items()))} (seed {seed})")
        often += found
    assert often.total() >= 100_000
    assert max(often) == most
    assert often[most] > 0.2 * often.total()


@with_either
@pytest.mark.parametrize("what", ["random", "ring"])
def test_counters_of_a_real_network_say_so_too(peers, what):
    """As many frames as a chain of test runs has, and no more: a circle would never end."""
    net, seed = net_of(peers), int(os.environ.get("XDP_LAB_SEED", random.randrange(2**32)))
    change(peers, *ALL)
    with disagreeing(peers, DISAGREEMENTS[what], seed), silent(net):
        packets = traffic(peers, 1000, seed)
        expected = _handed_on(net)
        for at in range(0, len(packets), 50):  # veth's ring has room for 256
            some = packets[at : at + 50]
            expected += sum(times * count for times, count in follow(peers, some).items())
            send(net.router.eth1, [raw for _, raw in some])
            limit = time.monotonic() + 2
            while _handed_on(net) < expected and time.monotonic() < limit:
                time.sleep(0.002)  # polls: nobody tells when the counters move
        time.sleep(0.05)  # one more than expected would come by then
        assert (_handed_on(net), seed) == (expected, seed)


def readable(sockets, seconds: float) -> list:
    """Those of some sockets from which one can read, after this many seconds at most."""
    with selectors.DefaultSelector() as watched:
        for one in sockets:
            watched.register(one, selectors.EVENT_READ)
        return [key.fileobj for key, _ in watched.select(seconds)]


@contextlib.contextmanager
def silent(net):
    """The router says nothing to servers of the clients that it does not know."""
    for version in ("-4", "-6"):
        net.router.run(f"ip {version} route add blackhole default")
    try:
        yield
    finally:
        for version in ("-4", "-6"):
            net.router.run(f"ip {version} route del blackhole default")


def _handed_on(net) -> int:
    return sum(net.hosts[name].eth0.counters["xdp_tx"] for name in ALL)


@with_either
@pytest.mark.alone
def test_what_it_costs(peers):
    """Three of four packets come to a server that must hand them on, and not one byte is added."""
    change(peers, *ALL)
    connections = Connections(net_of(peers), 100)
    assert follow(peers, acks(peers, connections, [b"\2\0"] * N)) == {0: 100, 1: 300}


@with_second_chance
def test_a_server_that_is_not_there(peers):
    with pytest.raises(LabError, match="no server s9 has the program; there are s1, s2, s3, s4"):
        peers["s9"]
