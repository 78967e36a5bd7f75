"""Servers that hand packets on, packet by packet: against their models, with real sockets.

A test run looks for sockets in the namespace of its caller, so the tests run inside a host.
XDP_LAB_SEED repeats a run that failed; XDP_LAB_PACKETS sets how many packets each program gets.
"""

from __future__ import annotations

import random
import socket
import time
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6ExtHdrDestOpt
from scapy.packet import Packet
from support import models_peers as peers
from support.corpus import balancer_corpus
from support.models import PASS
from support.models_balance import VIP, VIP6, Flow, flow_of
from support.mutants import NUMBER, SEEDS, cuts, mutants

from labsetup import (
    ICMP,
    IP,
    TCP,
    UDP,
    Dot1Q,
    Ether,
    IPv6,
    Program,
    Raw,
    capture,
    send,
    two_hosts,
)
from labsetup.libbpf.runs import run_frame
from labsetup.packets.craft import frame
from labsetup.programs.run import VERDICTS

PACKETS = NUMBER * 11 // 20
PORTS = range(443, 447)
CLIENTS = {4: "203.0.113.7", 6: "2001:db8:7::7"}  # the balancer corpus has them too
# Nobody has these: what a server sends there is lost, so that a handshake stays unfinished.
STRANGERS = {4: "203.0.113.200", 6: "2001:db8:8::7"}
VIPS = {4: VIP, 6: VIP6}
VERSIONS = (4, 6)
GOES = {
    "to_owner": {PASS, "0601"},
    "second_chance": {PASS, "0601", "0602"},
    "neighbours": {PASS, "readdressed", "0601", "to all"},
}
OWN = bytes.fromhex("020000000200")  # where frames come that name no receiver
FORGED = [b"\6\0", b"\6\1", b"\6\1", b"\6\2", b"\6\3", b"\6\xff", b"\2\1", b"\7\1"]


def flow_to(version: int, port: int, to: int = 443, stranger: bool = False) -> Flow:
    """The five-tuple of what a client sends."""
    client = (STRANGERS if stranger else CLIENTS)[version]
    source, target = ip_address(client).packed, ip_address(VIPS[version]).packed
    return Flow(source, target, port.to_bytes(2), to.to_bytes(2), 6)


def _settle(condition) -> None:
    limit = time.monotonic() + 5
    while not condition() and time.monotonic() < limit:
        time.sleep(0.01)  # polls: the kernel tells nobody of its sockets' states
    assert condition()


@pytest.fixture(scope="module")
def host():
    """A host with the VIP and, on itself, the clients; strangers would be behind its link."""
    net = two_hosts(ipv6=True)
    for words in (
        f"-4 addr add {VIP}/32 dev lo",
        f"-6 addr add {VIP6}/128 dev lo",
        f"-4 addr add {CLIENTS[4]}/32 dev lo",
        f"-6 addr add {CLIENTS[6]}/128 dev lo",
        "-4 route add 203.0.113.0/24 via 192.0.2.250",
        "-6 route add 2001:db8:8::/64 via 2001:db8::fa",
        "neigh add 192.0.2.250 lladdr 02:00:00:00:aa:aa dev eth0",
        "neigh add 2001:db8::fa lladdr 02:00:00:00:aa:aa dev eth0",
    ):
        assert net.server.run(f"ip {words}").status == 0, words
    yield net.server
    net.close()


@pytest.fixture(scope="module")
def sockets(host):
    """Real sockets of each kind in the host, and the model's account of them."""
    known, kept = peers.Sockets(), list[socket.socket]()
    with host.inside():
        for version in VERSIONS:
            family = socket.AF_INET if version == 4 else socket.AF_INET6
            listening = [
                socket.create_server((VIPS[version], port), family=family, backlog=50)
                for port in PORTS
            ]
            for port in range(40000, 40012):
                pair = _connection(family, version, port, listening[0])
                _bring_to(port % 4, *pair)
                flow = flow_to(version, port)
                (known.over if port % 4 in (1, 2) else known.connections).add(flow)
                kept += pair
            kept += listening
    # Three of each family in either state; the kernel calls both TIME_WAIT where it looks them up.
    for state in ("time-wait", "fin-wait-2"):
        words = f"ss -Htn state {state} sport = :443"
        _settle(lambda words=words: host.run(words).output.count("\n") == 6)
    known.connections |= _half_open(host)
    known.cookies = _cookies(host)
    yield known
    for one in kept:
        one.close()


def _connection(family, version: int, port: int, listener) -> tuple[socket.socket, socket.socket]:
    client = socket.socket(family)
    client.bind((CLIENTS[version], port))
    client.connect((VIPS[version], 443))
    return client, listener.accept()[0]


def _bring_to(kind: int, client: socket.socket, server: socket.socket) -> None:
    """0 open; 1 over, and 2 too for the kernel: all is said but the client's last word; 3 closing.

    The server's end is what a packet of the client meets.
    """
    if kind in (1, 2):
        server.close()
        assert client.recv(1) == b""
    if kind == 1:
        client.close()
    if kind == 3:
        client.shutdown(socket.SHUT_WR)
        assert server.recv(1) == b""


def _answers(host, ports: range, flags: str = "S") -> dict[Flow, TCP]:
    """Send first packets in the strangers' name, and return what the host answers them."""
    seen: dict[Flow, TCP] = {}
    with capture(host.eth0) as captured:
        for version in VERSIONS:
            header = (IP if version == 4 else IPv6)(src=STRANGERS[version], dst=VIPS[version])
            for port in ports:
                segment = TCP(sport=port, dport=444, flags=flags, seq=1000 * port)
                send(host.eth0.peer, Ether(dst=host.eth0.mac) / header / segment)
        captured.stop(quiet=0.2)
    for one in captured:
        # Those that it answered before, it answers again: half-open, it waits for the client.
        if one.sent and TCP in one.packet and one.packet[TCP].dport in ports:
            version = 4 if IP in one.packet else 6
            seen[flow_to(version, one.packet[TCP].dport, 444, True)] = one.packet[TCP]
    assert len(seen) == len(ports) * len(VERSIONS)
    return seen


def _half_open(host) -> set[Flow]:
    host.run("sysctl -w net.ipv4.tcp_synack_retries=10")  # IPv6 as well; they last for minutes
    return set(_answers(host, range(50000, 50006)))


def _cookies(host) -> dict[Flow, set[int]]:
    """Have the host answer as under a flood: it keeps no socket, and has a cookie in its answer.

    A cookie tells one of four segment sizes, in steps of 1; a client that names none is given
    the first.  See cookie_hash() and msstab in linux/net/ipv4/syncookies.c.
    """
    host.run("sysctl -w net.ipv4.tcp_syncookies=2")  # IPv6 as well
    given = _answers(host, range(51000, 51012))
    assert all(str(int.from_bytes(f.source_port)) not in host.run("ss -Htan") for f in given)
    return {
        flow: {(answer.seq + 1 + size - answer.ack) % 2**32 for size in range(4)}
        for flow, answer in given.items()
    }


def packets_about(sockets: peers.Sockets) -> list[bytes]:
    """Packets of connections that the host has, or had, or nearly has, and errors about them."""
    made: list[Packet] = []
    others = [flow_to(version, port) for version in VERSIONS for port in range(41000, 41030)]
    flows = [*sockets.connections, *sockets.over, *sockets.cookies, *others]
    for flow in sorted(flows):
        four = len(flow.source) == 4
        source, target = (str(ip_address(one)) for one in (flow.source, flow.target))
        ports = [int.from_bytes(port) for port in (flow.source_port, flow.target_port)]
        header = (IP if four else IPv6)(src=source, dst=target)
        extra = IP(src=source, dst=target, options=b"\1" * 4) if four else IPv6ExtHdrDestOpt()
        longer = extra if four else header / extra
        ahead = min(sockets.cookies.get(flow, {77}))
        numbers: dict[str, Any] = {
            "seq": 1000 * ports[0] + 1,
            "ack": (1000 * ports[0] + 1 + ahead) % 2**32,
        }
        for flags in ("S", "SA", "A", "PA", "FA", "R", "RA", "SR", "", "SECU"):
            segment = TCP(sport=ports[0], dport=ports[1], flags=flags, **numbers)
            made += [Ether() / header / segment, Ether() / longer / segment]
        ack = TCP(sport=ports[0], dport=ports[1], flags="A", **numbers)
        made += [Ether() / Dot1Q(vlan=7) / header / ack / Raw(b"GET"), Ether() / header / ack]
        made.append(Ether() / header / UDP(sport=ports[0], dport=ports[1]))
        for wrong in (1, 4, 2**24, 2**31):
            late = {**numbers, "ack": (numbers["ack"] + wrong) % 2**32}
            made.append(Ether() / header / TCP(sport=ports[0], dport=ports[1], flags="A", **late))
        sent = (IP if four else IPv6)(src=target, dst=source) / TCP(sport=ports[1], dport=ports[0])
        router = (IP if four else IPv6)(src="192.0.2.254" if four else "2001:db8::fe", dst=target)
        error = ICMP(type=3, code=4, nexthopmtu=1280) if four else ICMPv6PacketTooBig()
        made += [Ether() / router / error / Raw(bytes(sent)[:size]) for size in (28, 48, 60)]
    return [frame(one) for one in made]


def _handed_on(frames: list[bytes], seed: int) -> Iterator[bytes]:
    """Half of the frames as other servers would have handed them on, or somebody who forges."""
    chance = random.Random(seed)
    for one in frames:
        yield one if chance.random() < 0.5 else one[:6] + chance.choice(FORGED) + one[8:]


@pytest.fixture(scope="module")
def frames(sockets):
    print(f"\nseeds: {', '.join(map(str, SEEDS))}")
    about, others = packets_about(sockets), balancer_corpus()
    base = about * 4 + others
    made = [(seed, [*_handed_on(base, seed)]) for seed in SEEDS]
    made.append((0, random.Random(0).sample(cuts(others), PACKETS // 20)))
    left = PACKETS - sum(len(part) for _, part in made)
    for seed in SEEDS:
        changed = mutants(about * 3 + others, seed, left // len(SEEDS) + 1)
        made.append((seed, [*_handed_on(changed, seed)]))
    return made


def _to_next_hops(frames: list[bytes], seed: int) -> list[bytes]:
    """The frames as a router sends them whose neighbours are made up: here, or for other servers.

    What was handed on comes to this server's own address.
    """
    chance, here = random.Random(seed), peers.HERE
    befores = [0, 0, 1, 2, here, peers.DEAD, 7, 900, 1024, 0xFFFF]

    def receiver(one: bytes) -> bytes:
        how = chance.random()
        made_up = peers.made_up(chance.choice(befores), here if how < 0.8 else chance.randrange(9))
        if how < 0.9:
            return made_up
        return one[:6] if how < 0.95 else chance.choice([b"\2", b"\6", b"\x0b"]) + made_up[1:]

    return [receiver(one) + one[6:] for one in frames]


def _what(opinion: tuple[str, bytes], packet: bytes) -> str:
    """Where a frame goes: to whom, after how many hops, or up; then as it is, or readdressed."""
    verdict, after = opinion
    if verdict == PASS:
        return PASS if after == packet else "readdressed"
    return "to all" if after[:6] == b"\xff" * 6 else after[6:8].hex()


@pytest.mark.parametrize("name", ["second_chance", "neighbours", "to_owner"])
def test_a_server_does_what_its_model_does(host, sockets, frames, name):
    """TIME_WAIT lasts a minute, so the one that asks for no sockets comes last."""
    program, model = Program(name), peers.MODELS[name]
    peers.fill(program)
    seen, decisive, nothing = Counter[str](), Counter[str](), peers.Sockets()
    kinds = {"connection": sockets.connections, "over": sockets.over, "cookie": sockets.cookies}
    with host.inside():
        for seed, part in frames:
            for packet in _to_next_hops(part, seed) if name == "neighbours" else part:
                opinion = model(packet, sockets)
                number, after, _ = run_frame(program.fd, packet)
                if (VERDICTS[number], after) != opinion:
                    pytest.fail(
                        f"it differs from its model; XDP_LAB_SEED={seed}\npacket   {packet.hex()}\n"
                        f"expected {opinion[0]} {opinion[1].hex()}\n"
                        f"got      {VERDICTS[number]} {after.hex()}"
                    )
                seen[_what(opinion, packet)] += 1
                if opinion != model(packet, nothing):
                    flow = flow_of(OWN + packet[6:])
                    decisive.update(kind for kind, flows in kinds.items() if flow in flows)
    print(f"\n{name}: {seen.total()} packets, {dict(seen)}; by sockets {dict(decisive)}, {SEEDS}")
    assert seen.total() >= PACKETS
    assert set(seen) == GOES[name]
    assert min(seen.values()) > (0.01 if name == "neighbours" else 0.05) * PACKETS
    if name == "to_owner":
        assert not decisive
    else:
        assert min(decisive[kind] for kind in kinds) > 0.002 * PACKETS
