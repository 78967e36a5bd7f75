"""The router's neighbour table as the balancer: real connections while its rows change hands.

XDP_LAB_REPEATS sets how often each change is tried, XDP_LAB_SEED repeats a run that failed.
"""

from __future__ import annotations

import os
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from labsetup import (
    Bgp,
    Connections,
    LabError,
    Neighbours,
    Program,
    collateral,
    ecmp,
    no_balancer,
    random_flows,
)
from labsetup.lessons.lesson_08_without_a_load_balancer.scene import Site
from labsetup.network.network import Network
from labsetup.routing import router_table
from labsetup.routing.ecmp import set_cable
from labsetup.routing.rows import NOBODY, Row, handed_out

REPEATS = int(os.environ.get("XDP_LAB_REPEATS", "2"))
ALL = ("s1", "s2", "s3", "s4")
WITHOUT_S3 = ("s1", "s2", "s4")
with_bird = pytest.mark.skipif(not shutil.which("bird"), reason="BIRD is not installed (bird2)")


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    network = no_balancer(ipv6=True)
    yield network
    network.close()


@pytest.fixture
def neighbours(net: Network) -> Iterator[Neighbours]:
    made = Neighbours(net)
    yield made
    made.stop()


def restart(table: Neighbours) -> None:
    table.restart_router()
    table.use()


def crash(table: Neighbours) -> None:
    set_cable(table.net, "s3", "down")
    table.use(*WITHOUT_S3, gone=["s3"])


CHANGES: dict[str, tuple[tuple[str, ...], list[Callable[[Neighbours], object]]]] = {
    "drain": (ALL, [lambda table: table.use(*WITHOUT_S3)]),
    "add": (WITHOUT_S3, [lambda table: table.use()]),
    "flap": (ALL, [lambda table: table.use(*WITHOUT_S3), lambda table: table.use()]),
    "restart": (ALL, [restart]),
    "crash": (ALL, [crash]),
}


@pytest.mark.parametrize("ipv6", [False, True], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("what", CHANGES)
def test_only_a_dead_servers_own_connections_break(neighbours, what, ipv6):
    before, steps = CHANGES[what]
    for _ in range(1 if ipv6 else REPEATS):
        set_cable(neighbours.net, "s3", "up")
        neighbours.use(*before)
        connections = Connections(neighbours.net, 300, ipv6=ipv6)
        assert connections.broken == 0
        assert set(connections.at) == set(before)
        for step in steps:
            step(neighbours)
            lost = (connections.at == "s3") & (what == "crash")
            assert (connections.check().alive == ~lost).all(), connections
        assert lost.any() == (what == "crash")
        connections.close()
    set_cable(neighbours.net, "s3", "up")


def test_in_the_steady_state_no_packet_takes_a_detour(neighbours):
    net = neighbours.net
    servers = [net.hosts[name].eth0 for name in ALL]
    begun = sum(one.counters["rx_packets"] for one in servers)
    for ipv6 in (False, True):
        connections = Connections(net, 300, ipv6=ipv6)
        for _ in range(90):  # a line each, and an acknowledgement of what comes back
            connections.check()
        assert connections.broken == 0
        connections.close()
    came = sum(one.counters["rx_packets"] for one in servers) - begun
    print(f"\n{neighbours.handed_on} of {came:,} packets were handed on")
    assert came > 50_000
    assert neighbours.handed_on == 0
    # It does count what is handed on.
    connections = Connections(net, 100)
    assert neighbours.use(*WITHOUT_S3) == 16
    connections.check()
    assert neighbours.handed_on >= (connections.at == "s3").sum() > 0


def test_a_drain_moves_the_servers_own_flows_and_no_others(neighbours):
    flows = random_flows(8000, seed=8, clients="203.0.113.0/24")
    before = neighbours.next_hops(flows)
    group = neighbours.net.router.run("ip nexthop show").output
    routes = neighbours.net.router.run("ip route show table all").output
    assert neighbours.use(*WITHOUT_S3) == 16
    after = neighbours.next_hops(flows)
    print(f"\n{(before != after).sum()} of 8,000 moved, {(before == 's3').sum()} were s3's")
    assert ((before != after) == (before == "s3")).all()
    assert collateral(before, after) == 0
    assert neighbours.net.router.run("ip nexthop show").output == group
    assert neighbours.net.router.run("ip route show table all").output == routes
    neighbours.use()
    assert (neighbours.next_hops(flows) == before).all(), "who comes back has its own again"


def test_what_moves_has_gone_to_the_new_owner_and_can_find_the_old_one(neighbours):
    """Two changes in a row cost what had three owners, and nothing else."""
    connections = Connections(neighbours.net, 300)
    first = neighbours.rows
    neighbours.use("s1", "s2", "s3")
    neighbours.use("s1", "s2")
    thrice = sum(
        len({row.now, row.before, before.now}) == 3
        for row, before in zip(neighbours.rows, first, strict=True)
    )
    broken = connections.check().broken
    print(f"\n{thrice} of 64 rows had three owners; {broken} of 300 connections broke")
    assert 0 < thrice <= 6
    assert 0 < broken < 60
    assert set(connections.at[~connections.alive]) <= {"s3", "s4"}


def test_a_router_hashes_as_it_did_before_it_restarted(neighbours, monkeypatch):
    """Else a row's number is worth nothing."""
    if not router_table.SEED.exists():
        pytest.skip("this kernel does not let anybody choose the seed of its hash (6.11)")
    connections = Connections(neighbours.net, 300)
    restart(neighbours)
    assert connections.check().broken == 0
    neighbours.restart_router()
    monkeypatch.setattr(router_table.RouterTable, "_keep_the_seed", lambda table: None)
    neighbours.use()
    assert connections.check().broken > 100


def test_who_is_behind_changes_nothing(neighbours):
    """Two that write the router's table: a number says which of the two is newer."""
    connections = Connections(neighbours.net, 200)
    other = Neighbours(neighbours.net)  # as after a restart of the program that writes the table
    assert (other.number, other.rows) == (neighbours.number, neighbours.rows)
    assert other.use(*WITHOUT_S3) == 16
    there = other.rows
    assert other.number == neighbours.number + 1
    with pytest.raises(LabError, match=r"has number (\d+), and .* is number \d+: somebody else"):
        neighbours.use("s1", "s3", "s4")
    assert other.rows == there
    assert neighbours.read() == other.number
    assert neighbours.use("s1", "s3", "s4") > 16
    assert connections.check().broken < 60


def test_one_that_was_interrupted_asks_again(neighbours, monkeypatch):
    """Half of the rows are written, and the number is not."""
    connections, number = Connections(neighbours.net, 300), neighbours.number
    write = vars(router_table)["batch"]

    def half(host, lines, command="ip"):
        write(host, lines[: len(lines) // 2], command)
        raise KeyboardInterrupt

    monkeypatch.setattr(router_table, "batch", half)
    with pytest.raises(KeyboardInterrupt):
        neighbours.use(*WITHOUT_S3)
    monkeypatch.undo()
    assert 0 < sum(row.now == "s3" for row in neighbours.rows) < 16
    assert connections.check().broken == 0
    neighbours.use(*WITHOUT_S3)
    assert (sum(row.now == "s3" for row in neighbours.rows), neighbours.number) == (0, number + 1)
    assert connections.check().broken == 0


def test_a_switch_that_floods_gives_no_packet_to_two(neighbours):
    """What comes to a server by an address that names another one stays without an answer."""
    net = neighbours.net
    said = net.switch.run("bridge fdb show br br0").output.splitlines()
    static = [line.split() for line in said if line.startswith("0a:") and "master" in line]
    assert len(static) == 4 * 5
    for words in static:
        ran = net.switch.run(f"bridge fdb del {words[0]} dev {words[2]} master")
        assert ran.status == 0, ran
    connections = Connections(net, 200)
    neighbours.use(*WITHOUT_S3)
    assert connections.check().broken == 0
    assert net.client.ping(net.vip.split("/")[0], count=20, interval=0.01).received == 20


def test_no_connection_costs_a_byte(neighbours):
    """Neither at the servers nor at the router: what is there does not grow."""

    def state() -> object:
        maps = {n: {m: p.maps[m].raw() for m in p.maps} for n, p in neighbours.programs.items()}
        there = neighbours.net.router.run("ip neigh show nud permanent").output
        return maps, sorted(there.splitlines()), neighbours.net.router.run("ip nexthop").output

    before = state()
    connections = Connections(neighbours.net, 500).check()
    assert (connections.broken, state() == before) == (0, True)
    # What remembers connections, for comparison: a key and a value each, and what the kernel adds.
    remembered = Program("lb_memory")["flows"]
    told = Path(f"/proc/self/fdinfo/{remembered.fd}").read_text()
    taken = int(re.findall(r"^memlock:\s+(\d+)", told, re.MULTILINE)[0]) / 16_384
    print(f"\nlb_memory: {taken:.0f} bytes a connection")
    assert 44 < taken < 128


def test_it_leaves_nothing_at_the_router_and_the_servers(net):
    def there() -> str:
        words = ("nexthop", "rule", "-6 rule", "route show table all", "neigh show nud permanent")
        said = [net.router.run(f"ip {one}").output for one in words]
        return "".join([*said, *(net.hosts[name].run("nft list tables").output for name in ALL)])

    ecmp(net)
    before = there()
    made = Neighbours(net)
    assert there() != before
    assert [net.hosts[name].eth0.xdp[0] for name in ALL] == ["neighbours"] * 4
    made.stop()
    assert there() == before
    assert not any(net.hosts[name].eth0.xdp for name in ALL)


@with_bird
@pytest.mark.alone
def test_bgp_feeds_it(net):
    bgp, table = Bgp(net), Neighbours(net)
    connections = Connections(net, 200)
    bgp.withdraw("s3")
    bgp.wait()
    assert table.follow() == list(WITHOUT_S3)
    assert {row.now for row in table.rows} == set(WITHOUT_S3)
    assert connections.check().broken == 0
    bgp.announce("s3")
    bgp.wait()
    bgp.crash("s4")
    bgp.wait()
    table.follow()
    assert {row.now for row in table.rows} == {"s1", "s2", "s3"}
    connections.check()
    assert set(connections.at[~connections.alive]) == {"s4"}
    bgp.stop()
    assert table.follow() == []
    assert {row.now for row in table.rows} == {"s1", "s2", "s3"}
    set_cable(net, "s4", "up")
    table.stop()


def test_rows_change_hands_as_little_as_can_be():
    """5,000 changes by chance: shares even, no row moved for nothing, none that names the dead."""
    seed = int(os.environ.get("XDP_LAB_SEED", random.randrange(2**32)))
    chance = random.Random(seed)
    rows = [Row(NOBODY, NOBODY)] * 64
    for _ in range(5000):
        servers = chance.sample((*ALL, "s5", "s6", "s7"), chance.randrange(1, 8))
        gone = set(chance.sample(ALL, chance.randrange(3))) - set(servers)
        after = handed_out(rows, servers, gone)
        has, had = Counter(row.now for row in after), Counter(row.now for row in rows)
        assert set(has) == set(servers), seed
        assert max(has.values()) - min(has.values()) <= 1, seed
        for old, new in zip(rows, after, strict=True):
            moved = old.now != new.now
            before = old.now if moved else old.before
            assert new.before == (NOBODY if before in gone else before), seed
        # What must move: what was of those that go, and what others had too many of.
        moves = sum(old.now != new.now for old, new in zip(rows, after, strict=True))
        assert moves == sum(max(0, had[name] - has[name]) for name in had), seed
        assert not gone & {name for row in after for name in row}, seed
        rows = after


def test_who_comes_back_gets_the_rows_that_it_had():
    rows = handed_out([Row(NOBODY, NOBODY)] * 64, ALL)
    back = handed_out(handed_out(rows, WITHOUT_S3), ALL)
    assert [row.now for row in back] == [row.now for row in rows]
    assert all(row.before in WITHOUT_S3 for row in back if row.now == "s3")


def test_the_ways_of_a_site_and_why_one_is_missing(net, monkeypatch, capsys):
    assert "neighbours" in Site.ways(net)
    monkeypatch.setattr(type(net.router), "has", lambda host, tool: tool != "nft")
    assert "neighbours" not in Site.ways(net)
    assert "without neighbours: nft is not installed; type: apt-get" in capsys.readouterr().out
    with pytest.raises(LabError, match="nft is not installed"):
        Site(net, "neighbours")
    with pytest.raises(LabError, match="no way 'neighbors'; there are: ECMP alone, resilient"):
        Site(net, "neighbors")


def test_a_site_with_neighbours(net):
    with Site(net, "neighbours") as site:
        assert site.peers is None
        connections = Connections(net, 100)
        site.use(*WITHOUT_S3)
        site.restart_router()
        assert "169.254" not in net.router.run("ip neigh show").output
        site.use(*reversed(WITHOUT_S3))
        assert connections.check().broken == 0
        assert site.neighbours
        flows = random_flows(300, clients="203.0.113.0/24")
        assert np.unique(site.neighbours.next_hops(flows)).tolist() == [*WITHOUT_S3]
        with pytest.raises(LabError, match="there is no server s9"):
            site.use("s9")
