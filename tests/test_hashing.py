"""The ways to spread flows, and that C and Python hash alike."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from labsetup import IP, TCP, UDP, Dot1Q, Ether, IPv6, Program
from labsetup.balancing import hashing
from labsetup.libbpf.runs import run_frame
from labsetup.packets.craft import frame

FLOWS = 200_000
SERVERS = [f"s{number}" for number in range(1, 6)]
KEY = (0x0123456789ABCDEF, 0xFEDCBA9876543210)


@pytest.fixture(scope="module")
def hashes():
    return hashing.flow_hash(hashing.random_flows(FLOWS), KEY)


@pytest.fixture(scope="module")
def program():
    one = Program("flow_hash")
    one["keys"][0] = {"word": list(KEY)}
    return one


def test_the_hash_is_siphash_1_3():
    """Python hashes its bytes with it, under a key of zeros if asked for no randomness."""
    flows = hashing.random_flows(50, seed=1)
    ours = [int(value) for value in hashing.flow_hash(flows)]
    code = "import sys; [print(hash(bytes.fromhex(line))) for line in sys.stdin]"
    lines = "\n".join(flow.tobytes().hex() for flow in flows)
    assert sys.hash_info.algorithm == "siphash13"
    command, env = [sys.executable, "-c", code], {**os.environ, "PYTHONHASHSEED": "0"}
    said = subprocess.check_output(command, input=lines, text=True, env=env)
    assert [int(line) % 2**64 for line in said.split()] == ours


def test_one_number_is_stirred_as_many_are():
    many = np.random.default_rng(7).integers(0, 2**64, 1000, np.uint64, endpoint=False)
    many[:3] = 0, 1, 2**64 - 1
    alone = [hashing.mixed(one) for one in many]
    assert alone == list(hashing.mixed(many))
    assert {type(one) for one in alone} == {np.uint64}


@pytest.mark.parametrize("name", ["s1", "a", "web-12/7", "sêrvér", "x" * 300])
def test_a_servers_number_is_its_letters_stirred_in_one_by_one(name):
    number = np.zeros(1, np.uint64)
    for letter in name.encode():
        number = hashing.mixed(number ^ np.uint64(letter + 1))
    for _ in range(2):  # it is kept
        assert hashing.seed_of(name) == number[0]
    assert isinstance(hashing.seed_of(name), np.uint64)


@pytest.mark.parametrize("ipv6", [False, True])
def test_c_and_python_agree_on_100_000_flows(program, ipv6):
    flows = hashing.random_flows(100_000, seed=2, ipv6=ipv6)
    expected = hashing.flow_hash(flows, KEY)
    head = frame(Ether() / (IPv6() if ipv6 else IP()) / TCP())
    packet = bytearray(head)
    width, source = (16, 22) if ipv6 else (4, 26)
    destination, ports = source + width, source + 2 * width
    hashes = program["hashes"]
    for flow, value in zip(flows, expected, strict=True):
        packet[source:destination] = flow["source"][16 - width :].tobytes()
        packet[destination:ports] = flow["destination"][16 - width :].tobytes()
        packet[ports : ports + 4] = flow["ports"].tobytes()
        run_frame(program.fd, bytes(packet))
        if hashes[0] != int(value):
            pytest.fail(f"{bytes(packet).hex()}: C {hashes[0]:x}, Python {int(value):x}")


def test_what_a_flow_is(program):
    def value(packet):
        program.run(packet)
        return program["hashes"][0]

    plain = value(Ether() / IP() / TCP(sport=7, dport=80))
    assert value(Ether() / Dot1Q(vlan=5) / IP() / TCP(sport=7, dport=80)) == plain
    assert value(Ether() / IP(ttl=3, tos=8, id=9) / TCP(sport=7, dport=80, flags="F")) == plain
    assert value(Ether() / IP(options=b"\x94\x04\0\0") / TCP(sport=7, dport=80)) == plain
    assert value(Ether() / IP() / UDP(sport=7, dport=80)) != plain
    assert value(Ether() / IP() / TCP(sport=8, dport=80)) != plain
    first = value(Ether() / IP(flags="MF", proto=17) / (b"\0" * 16))
    assert value(Ether() / IP(frag=2, proto=17) / (b"\1" * 16)) == first


@pytest.mark.parametrize("way", ["ring", "rendezvous", "table"])
def test_only_the_flows_of_the_server_that_left_move(hashes, way):
    choose = getattr(hashing, way)
    before = choose(hashes, SERVERS)
    for gone in SERVERS:
        after = choose(hashes, [server for server in SERVERS if server != gone])
        assert hashing.collateral(before, after) == 0
        assert hashing.moved(before, after) == (before == gone).mean()
    more = choose(hashes, [*SERVERS, "s6"])
    assert (more[more != before] == "s6").all()
    assert hashing.collateral(before, more) == 0


def test_what_the_others_cost(hashes):
    rest = [server for server in SERVERS if server != "s2"]

    def change(way):
        before, after = way(hashes, SERVERS), way(hashes, rest)
        return hashing.moved(before, after), hashing.collateral(before, after)

    moved, collateral = change(hashing.modulo)
    assert moved == pytest.approx(0.8, abs=0.01)
    assert collateral == pytest.approx(0.6, abs=0.01)
    joined = hashing.modulo(hashes, SERVERS), hashing.modulo(hashes, [*SERVERS, "s6"])
    assert hashing.collateral(*joined) == pytest.approx(5 / 6 - 1 / 6, abs=0.01)
    moved, collateral = change(hashing.maglev)
    assert 0.19 < moved < 0.23
    assert 0 < collateral < 0.02
    last = hashing.jump(hashes, SERVERS), hashing.jump(hashes, SERVERS[:-1])
    assert hashing.collateral(*last) == 0
    assert hashing.moved(*last) == pytest.approx(0.2, abs=0.01)
    assert change(hashing.jump)[1] > 0.3


@pytest.mark.parametrize(
    ("way", "most"),
    [
        ("modulo", 1.02),
        ("rendezvous", 1.02),
        ("table", 1.04),
        ("maglev", 1.02),
        ("jump", 1.02),
        ("ring", 1.5),
    ],
)
def test_the_load_is_even(hashes, way, most):
    assert hashing.unevenness(getattr(hashing, way)(hashes, SERVERS), SERVERS) < most


def test_weights(hashes):
    choice = hashing.rendezvous(hashes, SERVERS, weights=[1, 1, 2, 4, 0.5])
    shares = [(choice == server).mean() for server in SERVERS]
    assert shares == pytest.approx([w / 8.5 for w in (1, 1, 2, 4, 0.5)], abs=0.005)
    heavier = hashing.rendezvous(hashes, SERVERS, weights=[1, 1, 2, 5, 0.5])
    assert (heavier[heavier != choice] == "s4").all()


def test_the_order_of_the_servers_does_not_matter(hashes):
    choice = hashing.rendezvous(hashes, SERVERS)
    assert (hashing.rendezvous(hashes, SERVERS[::-1]) == choice).all()
    assert (hashing.modulo(hashes, SERVERS[::-1]) != choice).any()


def test_flows_are_reproducible():
    one, again = hashing.random_flows(10, seed=3), hashing.random_flows(10, seed=3)
    assert (one == again).all()
    assert one.dtype.itemsize == 40
    assert np.unique(hashing.flow_hash(one, KEY)).size == 10
