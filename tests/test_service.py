"""The balancer that runs without the lab: reloads, upgrades, crashes, and what it may not do.

XDP_LAB_LONG=1 does each as often as labsetup/service/README.md says.  The same measures are taken
of copies that are wrong on purpose, and find them so.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.service import ALL, KEPT, Copy, Service, missing, running, until
from support.service_traffic import Traffic

from labsetup import Connections, Flood, balanced
from labsetup.lessons.lesson_09_take_it_home.scene import home
from labsetup.network.network import Network

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")
LONG = "XDP_LAB_LONG" in os.environ
RELOADS, TALKING, UPGRADES, KILLS = (1000, 500, 200, 100) if LONG else (60, 200, 20, 8)
# Each set keeps those of KEPT: one comes, shares change, one drains, one goes.
SETS = [ALL, ALL | {"s1": 3.0, "s4": 0.5}, KEPT | {"s2": 0.0}, KEPT]
GAP = (  # an upgrade that takes the old program off, then puts the new one on
    "plane.py",
    "    bpf.exchange(link, program)\n",
    """
    bpf.detach(link)
    os.unlink(f"{pins}/link")
    bpf.attach(program, socket.if_nametoindex("eth0"), f"{pins}/link")
""",
)
SWAP = "                bpf.put(self._current, bytes(4), struct.pack("


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=home()) as made:
        os.chmod(made, 0o755)
        yield Path(made)


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    network = balanced(5)
    yield network
    network.close()


@pytest.fixture(scope="module")
def copies(folder: Path) -> Callable[..., Copy]:
    made: dict[object, Copy] = {}

    def copy(*edits: tuple[str, str, str]) -> Copy:
        if edits not in made:
            made[edits] = Copy(folder / f"copy {len(made)}", *edits)
        return made[edits]

    return copy


@pytest.fixture
def service(net: Network, copies: Callable[..., Copy]) -> Iterator[Service]:
    with running(net, copies(), KEPT) as one:
        yield one


def broken_by_reloads(service: Service, number: int, talking: int) -> int:
    """Of so many connections that talk all the time."""
    connections = Connections(service.net, talking)
    assert connections.broken == 0
    ended, rounds = threading.Event(), 0

    def reload() -> None:
        try:
            for turn in range(number):
                service.write(SETS[turn % len(SETS)])
                assert service.reload() == "reload: done"
        finally:
            ended.set()

    reloading = threading.Thread(target=reload)
    begun = time.monotonic()
    reloading.start()
    while not ended.is_set():
        connections.check()
        rounds += 1
    reloading.join()
    connections.check()
    done = service.metrics()["acts_total reload well"]
    seconds = time.monotonic() - begun
    print(f"{done:.0f} reloads in {seconds:.1f} s, {rounds} rounds of {talking} questions")
    assert done == number and rounds >= 3
    return connections.broken


def test_reloads_break_no_connection_that_the_new_set_keeps(service: Service) -> None:
    assert broken_by_reloads(service, RELOADS, TALKING) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        ("balancer.bpf.c", "if (pkt->flags && place)", "if (0)"),  # remembers nothing
        # The old set is taken away before the new one is there.
        ("plane.py", SWAP, f"                bpf.remove(self._current, bytes(4))\n{SWAP}"),
    ],
)
def test_the_measure_of_reloads_finds_what_breaks(
    net: Network, copies: Callable[..., Copy], wrong: tuple[str, str, str]
) -> None:
    with running(net, copies(wrong), KEPT) as service:
        assert broken_by_reloads(service, 8, 100) > 0


def lost_by_upgrades(service: Service, number: int) -> int:
    traffic = Traffic(service.net, per_second=20_000)
    try:
        until(lambda: traffic.sent > 500)
        programs = {service.net.lb.eth0.xdp}
        for _ in range(number):
            assert service.upgrade() == "upgrade: done"
            programs.add(service.net.lb.eth0.xdp)
    finally:
        traffic.stop()
    print(f"{len(programs) - 1} upgrades, {traffic.sent:,} frames, lost {traffic.lost}")
    assert len(programs) == number + 1
    assert traffic.sent > 20 * number
    return traffic.lost


def test_upgrades_lose_no_frame(service: Service) -> None:
    assert lost_by_upgrades(service, UPGRADES) == 0


def test_the_measure_of_upgrades_finds_a_gap(net: Network, copies: Callable[..., Copy]) -> None:
    with running(net, copies(GAP), KEPT) as service:
        assert lost_by_upgrades(service, 10) > 0


@pytest.mark.parametrize("wrong", [None, GAP])
def test_upgrades_under_as_many_frames_as_one_cpu_makes(
    net: Network, copies: Callable[..., Copy], wrong: tuple[str, str, str] | None
) -> None:
    with running(net, copies(*([wrong] if wrong else [])), KEPT) as service, Flood(net) as flood:
        ended, bursts = threading.Event(), []

        def pour() -> None:
            while not ended.is_set():
                bursts.append(flood.send(100_000))

        pouring = threading.Thread(target=pour)
        before = service.metrics()
        pouring.start()
        try:
            for _ in range(UPGRADES):
                assert service.upgrade() == "upgrade: done"
        finally:
            ended.set()
            pouring.join()
        after = service.metrics()
        sent, arrived = (sum(getattr(b, what) for b in bursts) for what in ("sent", "arrived"))
        counted = sum(
            after[f"packets_total {s} udp"] - before[f"packets_total {s} udp"] for s in KEPT
        )
    print(f"{UPGRADES} upgrades, {sent:,} frames, {sent - arrived:,} lost, {counted:,.0f} counted")
    if wrong:
        assert arrived < sent
    else:
        assert sent == arrived == counted


def harm_by_kills(service: Service, number: int, seed: int) -> tuple[int, int, int]:
    """Datagrams misdirected, datagrams lost, connections broken."""
    quiet = Traffic(service.net)
    until(lambda: quiet.sent > 1000)
    owners = quiet.stop().owners()
    service.end()
    begun = time.monotonic()
    service.start()
    life = max(0.6, 3 * (time.monotonic() - begun))  # seconds at most, of which a third is a start
    connections, chance = Connections(service.net, TALKING), random.Random(seed)
    assert connections.broken == 0
    traffic, told = Traffic(service.net), 0
    try:
        for turn in range(number):
            assert service.process
            end = time.monotonic() + chance.uniform(0, life)
            while (left := end - time.monotonic()) > 0:
                if "balancing on" not in service.process.output:
                    time.sleep(min(left, 0.002))  # polls
                    continue
                service.write([ALL, KEPT][told % 2])
                os.kill(service.process.pid, signal.SIGHUP)
                told += 1
                time.sleep(min(left, chance.uniform(0, 0.05)))
            connections.check()
            if turn % 2 and "balancing on" in service.process.output:  # in the middle of a reload
                service.write([ALL, KEPT][told % 2])
                os.kill(service.process.pid, signal.SIGHUP)
                told += 1
                time.sleep(chance.uniform(0, 0.03))
            service.process.kill()
            service.start(wait=False)
        until(lambda: "balancing on" in str(service.process))
        connections.check()
    finally:
        traffic.stop()
    misdirected = traffic.misdirected(owners, {"s3"})
    print(
        f"{number} kills among {told} reloads, {traffic.sent:,} frames: misdirected {misdirected}, "
        f"lost {traffic.lost}, broken {connections.broken} of {TALKING}; s3 got "
        f"{len(traffic.got['s3']):,}"
    )
    assert told >= number / 2 and traffic.got["s3"]
    return misdirected, traffic.lost, connections.broken


def test_kills_at_random_moments_misdirect_nothing(service: Service) -> None:
    assert harm_by_kills(service, KILLS, 1) == (0, 0, 0)


def test_the_measure_of_kills_finds_what_is_half_done(
    net: Network, copies: Callable[..., Copy]
) -> None:
    wrong = ("plane.py", SWAP, f"                bpf.remove(self._current, bytes(4))\n{SWAP}")
    with running(net, copies(wrong), KEPT) as service:
        misdirected, lost, _ = harm_by_kills(service, 8, 2)
    assert misdirected and lost


@pytest.mark.parametrize("forgets", [False, True])
def test_the_places_that_connections_remember_outlive_a_crash(
    net: Network, copies: Callable[..., Copy], forgets: bool
) -> None:
    """s3 comes last; who forgets that gives it the place of s4, as the file has it."""
    wrong = ("plane.py", "for key in bpf.keys(self._known, 36)}", "for key in ()}")
    with running(net, copies(*([wrong] if forgets else [])), KEPT) as service:
        connections = Connections(net, 100)
        service.write(ALL)
        service.reload()
        assert connections.check().broken == 0 and service.process
        service.process.kill()
        service.start()
        connections.check()
    assert bool(connections.broken) == forgets
