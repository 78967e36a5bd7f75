"""Servers that share a VIP hand a packet on twice at most, whatever their tables say.

XDP_LAB_SEED repeats a run that failed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6PacketTooBig
from scapy.packet import Packet
from support.models import PASS, TX
from support.peers import (
    ALL,
    ELSEWHERE,
    change,
    net_of,
    with_either,
)

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
    send,
)
from labsetup.balancing.balancer import NO_OWNER, ROWS
from labsetup.balancing.peers import Peers
from labsetup.libbpf.runs import run_frame
from labsetup.packets.craft import frame
from labsetup.programs.run import VERDICTS


@functools.cache
def _templates() -> list[tuple[int, bytes]]:
    """Packets of every kind for the VIP, each with the place of its client's port, if it has one.

    The VIP's own addresses stay, and so do IPv4's header and its checksum: a bridge may look.
    """
    made: list[tuple[int, Packet]] = []
    for number in range(1, 9):
        four = IP(src=f"{ELSEWHERE}.{number}", dst=VIP)
        six = IPv6(src=f"2001:db8:7::{number}", dst=VIP6)
        loads: list[Packet] = [
            TCP(dport=80, flags=f) for f in ("S", "SA", "A", "A", "PA", "FA", "R", "")
        ]
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
DISAGREEMENTS: dict[str, Sequence[tuple[int | None, int | None]]] = {
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
