"""What the lessons claim of time and of chance, measured where nothing else runs."""

from __future__ import annotations

import ast
import time

import nbformat
import numpy as np
import pytest
from support.host import NOTEBOOKS

from labsetup import (
    DNS,
    DNSQR,
    ICMP,
    IP,
    TCP,
    UDP,
    Ether,
    Program,
    claim,
    cpus,
    flow_hash,
    random_flows,
    rendezvous,
    table,
    upload,
)

PING = Ether() / IP() / ICMP()
several = pytest.mark.skipif(len(cpus()) == 1, reason="with one CPU nobody comes in between")


def fewest(ways, rounds=7):
    """The fewest ns that a run of each took, each in turn; so the lesson measures as well."""
    took = [[program.run(packet, repeat=200_000, cpus=on).ns for program, packet, on in ways]]
    for _ in range(rounds - 1):
        took.append(
            [program.run(packet, repeat=200_000, cpus=on).ns for program, packet, on in ways]
        )
    return np.min(took, axis=0)


@several
@pytest.mark.alone
def test_two_cpus_at_once_lose_additions_and_one_alone_loses_none():
    shared = Program("count_shared")
    for on in (cpus()[:1], cpus()[:2]):
        shared["packets"].clear()
        shared.run(PING, repeat=1_000_000, cpus=on)
        lost = 1_000_000 * 100 * len(on) - shared["packets"][0]
        assert (lost > 0) == (len(on) > 1)


@several
@pytest.mark.alone
def test_an_atomic_addition_costs_more_than_one_to_a_copy():
    two = cpus()[:2]
    atomic, copies = (Program(name) for name in ("count_atomic", "count_percpu"))
    cost = fewest([(atomic, PING, two), (copies, PING, two)])
    assert cost[0] > cost[1]


@several
@pytest.mark.alone
def test_a_copy_has_what_its_own_cpu_counted(net):
    counter = Program("icmp_count")
    counter.attach(net.server.eth0)
    first, last = cpus()[0], cpus()[-1]
    net.client.ping(net.server, count=20, cpu=first)
    net.client.ping(net.server, count=10, cpu=last)
    copies = counter["icmp_packets"][0]
    assert (copies[first], copies[last], copies.sum) == (20, 10, 30)


@pytest.mark.alone
def test_to_read_a_name_costs_more_than_to_let_a_packet_pass():
    question = Ether() / IP() / UDP(dport=53) / DNS(qd=DNSQR(qname="good.example"))
    block = Program("dns_block")
    nothing, shallow, deep = fewest(
        [
            (Program("xdp_pass"), question, None),
            (block, Ether() / IP() / TCP(), None),
            (block, question, None),
        ]
    )
    assert deep > max(nothing, shallow)


@pytest.mark.alone
def test_to_ask_all_servers_takes_longer_than_to_look_up_a_row():
    hashes = flow_hash(random_flows(100_000), key=(2024, 204))

    def seconds(way, *given):
        begun = time.perf_counter()
        way(*given)
        return time.perf_counter() - begun

    for size in (5, 50, 200):
        names = [f"s{number}" for number in range(size)]
        owner = table(np.arange(65_536, dtype=np.uint64), names)
        took = [
            (seconds(rendezvous, hashes, names), seconds(lambda o: o[hashes % 65_536], owner))
            for _ in range(3)
        ]
        asked, looked_up = np.min(took, axis=0)
        assert asked > looked_up


def test_a_claim_is_told_where_it_does_not_come_out_and_only_there(capsys):
    claim(True, "water is wet")
    assert capsys.readouterr().out == ""
    claim(False, "water is wet", "it froze")
    said = capsys.readouterr().out
    assert said.startswith("Not shown here: water is wet. Perhaps it froze;")
    assert said.count("\n") == 1


def claiming(notebook):
    """The cells that claim something."""
    return [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code"
        and "claim(" in cell.source
        and any(
            isinstance(node, ast.Call) and getattr(node.func, "id", "") == "claim"
            for node in ast.walk(ast.parse(cell.source))
        )
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_claim_stands_below_what_was_measured(path):
    """Else nbval meets an output that is not stored, where a claim does not come out."""
    for cell in claiming(nbformat.read(path, as_version=4)):
        said = "".join(out.text for out in cell.outputs if out.get("name") == "stdout")
        assert said.strip(), cell.source
        assert "Not shown here" not in said, "run the notebook anew, where nothing else runs"


@pytest.mark.alone
def test_native_xdp_slows_bulk_tcp_on_veth_and_most_of_it_is_the_loss_of_large_segments(net):
    for host in (net.client, net.server):
        host.run("ethtool --offload eth0 tx on tso on gso on")
    nothing, rates = Program("xdp_pass"), []
    for _ in range(3):
        rates.append([upload(net.client, net.server)])
        net.client.run("ethtool --offload eth0 tso off gso off")
        rates[-1].append(upload(net.client, net.server))
        net.client.run("ethtool --offload eth0 tso on gso on")
        nothing.attach(net.server.eth0)
        assert "tcp-segmentation-offload: off" in net.client.run("ethtool -k eth0").output
        rates[-1].append(upload(net.client, net.server))
        nothing.detach()
    free, cut, native = np.median(rates, axis=0)
    assert native < cut < free
    assert free - cut > cut - native
