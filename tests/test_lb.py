"""What the load balancers promise: whose a packet is, what it costs, and what a change moves."""

from __future__ import annotations

import re
import statistics
import threading
import time
from collections import Counter

import numpy as np
import pytest
from scapy.layers.inet import fragment
from scapy.layers.inet6 import ICMPv6PacketTooBig, ICMPv6TimeExceeded, IPv6ExtHdrFragment
from support import models_balance as balance
from support.models_balance import EMPTY, KEY, MAC, VIP, VIP6, mac_of

from labsetup import ICMP, IP, TCP, UDP, Ether, IPv6, Program, Raw
from labsetup.balancing import hashing
from labsetup.balancing.hashing import flow_hash, random_flows, seed_of
from labsetup.libbpf.runs import run_frame
from labsetup.packets.craft import frame
from labsetup.programs.run import VERDICTS
from labsetup.programs.sources import SOURCES

BY_FLOW = ("lb_modulo", "lb_xor", "lb_rendezvous", "lb_table", "lb_memory")
OWN = bytes.fromhex(MAC.replace(":", ""))
TX = VERDICTS.index("XDP_TX")


@pytest.fixture
def balancer():
    """Load a balancer with a number of servers, in places that are all filled."""

    def load(
        name: str, servers: int = 10, own_mac: bool = False, source: str | None = None
    ) -> Program:
        program = Program(name, source)
        balance.fill(program)
        program["settings"][0] = program["settings"][0] | {
            "servers": servers,
            "vip6": program["settings"][0]["vip6"]["in6_u"],
        }
        for place in range(servers):
            mac = OWN if own_mac else b"\x02\0\0\1" + place.to_bytes(2)
            program["servers"][place] = {"seed": seed_of(f"s{place + 1}"), "mac": mac}
        if "tables" in program.maps:
            program["tables"][0] = rows_of(range(servers))
        return program

    return load


def rows_of(places) -> np.ndarray:
    """A table for the servers in some places, as a notebook makes it."""
    names = [f"s{place + 1}" for place in places]
    rows = hashing.mixed(np.arange(65536, dtype=np.uint64))
    place_of = {f"s{place + 1}": place for place in places}
    return np.array([place_of[name] for name in hashing.rendezvous(rows, names)], "<u2")


def place_of(program: Program, packet) -> int | None:
    """The place of the server that a packet goes to."""
    number, after, _ = run_frame(program.fd, frame(packet))
    return int.from_bytes(after[4:6]) if number == TX else None


def packets_of(flows: np.ndarray, flags: str = "A") -> list[bytes]:
    """Frames of flows over IPv4 that random_flows() made."""
    whole = frame(Ether() / IP(dst=VIP) / TCP(flags=flags))
    begin, between, end = whole[:26], whole[30:34], whole[38:]
    return [
        begin + flow["source"][12:].tobytes() + between + flow["ports"].tobytes() + end
        for flow in flows
    ]


@pytest.mark.parametrize("way", ["modulo", "rendezvous", "table"])
def test_c_chooses_as_python_does(balancer, way):
    program = balancer(f"lb_{way}")
    flows = random_flows(5000, seed=7)
    names = [f"s{place + 1}" for place in range(10)]
    expected = getattr(hashing, way)(flow_hash(flows, KEY), names)
    place = {f"s{number + 1}": number for number in range(10)}
    got = [place_of(program, packet) for packet in packets_of(flows)]
    assert got == [place[name] for name in expected]


def errors_about(client, client6, sport: int):
    """Each error that a router may send about an answer from the VIP, with its IP version."""
    answer = IP(src=VIP, dst=client) / TCP(sport=443, dport=sport, flags="A") / Raw(b"x" * 1400)
    answer6 = IPv6(src=VIP6, dst=client6) / TCP(sport=443, dport=sport) / Raw(b"x" * 1400)
    for kind in (ICMP(type=3, code=4, nexthopmtu=1280), ICMP(type=3, code=1), ICMP(type=11)):
        for size in (28, 68, 548):
            yield 4, Ether() / IP(src="192.0.2.254", dst=VIP) / kind / Raw(bytes(answer)[:size])
    for kind6 in (ICMPv6PacketTooBig(mtu=1280), ICMPv6TimeExceeded()):
        for size in (44, 88, 1232):
            quote = Raw(bytes(answer6)[:size])
            yield 6, Ether() / IPv6(src="2001:db8::fe", dst=VIP6) / kind6 / quote


@pytest.mark.parametrize("name", BY_FLOW)
def test_an_error_reaches_the_server_that_it_is_for(balancer, name):
    program, places = balancer(name), set()
    for sport in range(40000, 40020):
        host = sport * 37 % 251
        client, client6 = f"203.0.113.{host}", f"2001:db8:7::{host}"
        asked = TCP(sport=sport, dport=443, flags="A")
        went = {
            4: place_of(program, Ether() / IP(src=client, dst=VIP) / asked),
            6: place_of(program, Ether() / IPv6(src=client6, dst=VIP6) / asked),
        }
        places |= set(went.values())
        for version, error in errors_about(client, client6, sport):
            assert place_of(program, error) == went[version], error.summary()
    assert len(places) > 5


@pytest.mark.parametrize("name", BY_FLOW)
def test_all_fragments_of_a_datagram_go_to_one_server(balancer, name):
    program, places = balancer(name), set()
    for client in range(30):
        long = IP(src=f"203.0.113.{client}", dst=VIP, id=client) / UDP(sport=4000 + client)
        pieces = fragment(long / Raw(b"x" * 4000), fragsize=1400)
        assert len(pieces) == 3
        went = {place_of(program, Ether() / piece) for piece in pieces}
        assert len(went) == 1
        header = IPv6(src=f"2001:db8:7::{client}", dst=VIP6)
        first = header / IPv6ExtHdrFragment(m=1) / UDP(sport=4000) / Raw(b"x" * 8)
        later = header / IPv6ExtHdrFragment(offset=2, nh=17) / Raw(b"\xa5" * 16)
        went6 = {place_of(program, Ether() / piece) for piece in (first, later)}
        assert len(went6) == 1
        places |= went | went6
    assert len(places) > 5


def test_chance_sends_a_flow_to_every_server(balancer):
    program = balancer("lb_random")
    packet = frame(Ether() / IP(dst=VIP) / TCP())
    seen = Counter(place_of(program, packet) for _ in range(2000))
    assert set(seen) == set(range(10))
    assert max(seen.values()) < 300


def test_who_knows_the_hash_aims_at_one_server(balancer):
    """2,000 connections from one client, its ports chosen by what it can compute."""

    ends = bytes(IP(src="203.0.113.7", dst=VIP))[12:20] + (443).to_bytes(2) + b"\6\0"
    rest = int(np.bitwise_xor.reduce(np.frombuffer(ends, "<u2")))  # ::ffff: is there twice
    ports = [port for port in range(1024, 65536) if (rest ^ port >> 8 ^ port % 256 << 8) % 10 == 4]
    ports = ports[:2000]
    assert len(ports) == 2000
    whole = frame(Ether() / IP(src="203.0.113.7", dst=VIP) / TCP(dport=443))
    frames = [whole[:34] + port.to_bytes(2) + whole[36:] for port in ports]
    program = balancer("lb_xor")
    assert {place_of(program, one) for one in frames} == {4}
    for name in ("lb_modulo", "lb_rendezvous", "lb_table"):
        program = balancer(name)
        seen = Counter(place_of(program, one) for one in frames)
        assert len(seen) == 10
        assert max(seen.values()) < 300, name


def test_a_key_makes_all_the_difference(balancer):
    frames = packets_of(random_flows(500, seed=8))
    program = balancer("lb_table")
    before = [place_of(program, one) for one in frames]
    settings = program["settings"][0]
    program["settings"][0] = settings | {"vip6": bytes(16), "key": {"word": [1, 2]}}
    after = [place_of(program, one) for one in frames]
    assert 0.8 < np.mean(np.array(before) != np.array(after)) < 0.97


@pytest.mark.parametrize("name", ["lb_random", *BY_FLOW])
def test_a_balancer_without_settings_or_servers_leaves_all_to_the_stack(name):
    program = Program(name)
    packets = [frame(Ether() / IP(dst=VIP) / TCP(sport=port)) for port in range(50)]
    assert {place_of(program, one) for one in packets} == {None}
    balance.fill(program)
    for place in range(1024):
        program["servers"][place] = bytes(16)
    assert {place_of(program, one) for one in packets} == {None}
    program["settings"][0] = program["settings"][0] | {"servers": 0, "vip6": bytes(16)}
    assert {place_of(program, one) for one in packets} == {None}


def test_a_place_that_nobody_is_in(balancer):
    program = balancer("lb_table")
    program["tables"][0] = np.full(65536, EMPTY, "<u2")
    packet = Ether() / IP(dst=VIP) / TCP()
    assert place_of(program, packet) == EMPTY
    program["servers"][EMPTY] = {"seed": 1, "mac": mac_of(EMPTY)}
    assert program.run(packet).verdict == "XDP_PASS"
    for row in (1024, 0xFFFF):
        program["tables"][0] = np.full(65536, row, "<u2")
        assert program.run(packet).verdict == "XDP_PASS"


def test_what_a_balancer_changes(balancer):
    run = balancer("lb_table").run(Ether() / IP(dst=VIP, ttl=1) / TCP())
    assert [repr(change).partition(":")[0] for change in run.changes] == ["Ether dst", "Ether src"]
    assert run.after[6:12] == OWN


class TestMemory:
    """One client, port after port; then every row belongs to another server."""

    CLIENT = IP(src="203.0.113.7", dst=VIP)
    ROOM = 1024

    @pytest.fixture
    def program(self, balancer):
        source, changed = re.subn(
            r"flows, \d+", f"flows, {self.ROOM}", (SOURCES / "lb_memory.c").read_text()
        )
        assert changed == 1
        program = balancer("lb_memory", source=source)
        program["tables"][0] = np.full(65536, 1, "<u2")
        program["tables"][1] = np.full(65536, 2, "<u2")
        return program

    def sent(self, program, flags, sport=5000, load=b""):
        packet = self.CLIENT / TCP(sport=sport, dport=80, flags=flags) / Raw(load)
        return place_of(program, Ether() / packet)

    @pytest.mark.parametrize("first", ["S", "A", "SA", "SEC"])
    def test_a_connection_stays(self, program, first):
        assert self.sent(program, first) == 1
        program["active"][0] = 1
        assert {self.sent(program, flags) for flags in ("A", "PA", "FA", "R", "SA")} == {1}
        assert self.sent(program, "A", sport=5001) == 2
        error = ICMP(type=3, code=4) / IP(src=VIP, dst="203.0.113.7") / TCP(sport=80, dport=5000)
        assert place_of(program, Ether() / IP(src="192.0.2.254", dst=VIP) / error) == 1

    def test_a_new_connection_from_a_used_port_starts_afresh(self, program):
        assert self.sent(program, "S") == 1
        program["active"][0] = 1
        assert self.sent(program, "S") == 2
        assert self.sent(program, "A") == 2

    def test_a_server_that_left_is_forgotten(self, program):
        assert self.sent(program, "S") == 1
        program["active"][0] = 1
        server = program["servers"][1]
        program["servers"][1] = server | {"mac": bytes(6)}
        assert self.sent(program, "A") == 2
        program["servers"][1] = server
        program["active"][0] = 0
        assert self.sent(program, "A") == 2

    def test_only_whole_tcp_packets_are_remembered(self, program):
        for packet in (
            self.CLIENT / UDP(sport=5000),
            self.CLIENT / ICMP(),
            IP(src="203.0.113.7", dst=VIP, flags="MF") / TCP(),
            IP(src="203.0.113.7", dst=VIP, frag=9, proto=6) / Raw(b"x" * 24),
            IP(src="203.0.113.7", dst=VIP, len=39) / TCP(flags="A"),
            IP(src="192.0.2.254", dst=VIP) / ICMP(type=3) / IP(src=VIP) / TCP(),
        ):
            assert place_of(program, Ether() / packet) == 1
        assert len(program["flows"]) == 0

    def test_a_full_memory_falls_back_to_the_table(self, program):
        """The map is full many times over: what it forgot goes by the table, and is not lost.

        The newest come first here. In the old order each newcomer would push out the next one.
        """
        frames = packets_of(random_flows(5000, seed=9), "S")
        assert {place_of(program, one) for one in frames} == {1}
        assert self.ROOM / 2 < len(program["flows"]) <= self.ROOM
        program["active"][0] = 1
        later = packets_of(random_flows(5000, seed=9))[::-1]
        seen = Counter(place_of(program, one) for one in later)
        assert set(seen) == {1, 2}
        assert self.ROOM / 2 < seen[1] <= self.ROOM


@pytest.mark.alone
def test_the_price_does_not_grow_with_the_servers(balancer):
    """Medians of rounds taken in turn; a neighbour's noise in one attempt may be repeated."""
    few, many = (balancer("lb_table", number, own_mac=True) for number in (4, 1024))
    parse = Program("flow_hash")
    parse["keys"][0] = {"word": list(KEY)}
    packet = frame(Ether() / IP(dst=VIP) / TCP(flags="A"))
    said = []
    for _ in range(4):
        rounds = [
            [run_frame(one.fd, packet, 20_000)[2] for one in (parse, few, many)] for _ in range(25)
        ]
        parsed, small, large = (statistics.median(ns) for ns in zip(*rounds, strict=True))
        said.append((parsed, small, large))
        if large <= 1.1 * small and small <= 1.5 * parsed:
            print(f"\nparse and hash {parsed} ns, table of 4 {small} ns, of 1,024 {large} ns")
            return
    pytest.fail(f"nanoseconds to parse and hash, with 4, with 1,024 servers: {said}")


def test_ten_thousand_swaps_move_nothing_that_need_not_move(balancer):
    """Each packet meets the old table or the new one, whole; never a mixture, never none."""
    program = balancer("lb_table")
    sets = [list(range(10)), [0, 1, 2, 4, 5, 6, 7, 8, 9], list(range(9)), [0, 2, 4, 6, 8, 9]]
    tables = [rows_of(places) for places in sets]
    flows = random_flows(400, seed=10)
    rows = flow_hash(flows, KEY) & np.uint64(0xFFFF)
    owners = np.array([table[rows] for table in tables])
    allowed = [set(column) for column in owners.T.tolist()]
    frames = packets_of(flows)
    done = threading.Event()
    seen: list[set[int | None]] = [set() for _ in flows]
    ran = 0

    def traffic() -> None:
        nonlocal ran
        while not done.is_set():
            for went, one in zip(seen, frames, strict=True):
                went.add(place_of(program, one))
            ran += len(frames)

    thread = threading.Thread(target=traffic)
    thread.start()
    swaps, limit = 0, time.monotonic() + 60  # a quick machine swaps 10,000 times in a second
    while swaps < 10_000 or (ran <= 10_000 and time.monotonic() < limit):
        swap, swaps = swaps, swaps + 1
        now = swap % 2
        program["tables"][1 - now] = tables[(swap + 1) % len(tables)]
        program["active"][0] = 1 - now
    done.set()
    thread.join()
    print(f"\n{ran} packets during {swaps} swaps")
    assert ran > 10_000
    assert all(went <= may for went, may in zip(seen, allowed, strict=True))
    steady = [went for went, may in zip(seen, allowed, strict=True) if len(may) == 1]
    assert len(steady) > 100
    assert all(len(went) == 1 for went in steady)
    assert sum(len(went) > 1 for went in seen) > 100  # the swaps were seen
