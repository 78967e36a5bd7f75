"""The churn of lesson 08: connections that come and end while servers do, by each way."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from support.pictures import drawn

from labsetup import Connections, LabError, Site, churn, no_balancer, services
from labsetup.lessons.lesson_08_without_a_load_balancer.churn import (
    AFTER,
    BEFORE,
    FEWEST,
    LONGEST,
    TURN,
    Churn,
    Course,
    Plan,
)
from labsetup.network.network import Network

KEY = (2024, 204)
SERVERS = ["s1", "s2", "s3", "s4"]


@pytest.fixture
def net() -> Iterator[Network]:
    network = no_balancer()
    yield network
    network.close()


def test_a_seed_gives_one_plan_and_another_seed_another() -> None:
    first, again, other = (Plan.drawn(SERVERS, 20, 50, seed) for seed in (1, 1, 2))
    assert first.changes == again.changes != other.changes
    assert [list(one) for one in first.lives] == [list(one) for one in again.lives]


@pytest.mark.parametrize("seed", range(30))
def test_a_plan_changes_one_server_at_a_time_and_leaves_enough(seed: int) -> None:
    plan = Plan.drawn(SERVERS, 20, 50, seed)
    before = set(SERVERS)
    for turn, names in plan.changes.items():
        assert len(before ^ set(names)) == 1
        assert len(names) >= FEWEST
        assert BEFORE <= TURN * turn <= 20 - AFTER + TURN
        before = set(names)
    assert len(plan.changes) >= 3
    # Whoever was there at the last change is gone before the end.
    assert max(map(max, plan.lives)) * TURN <= LONGEST
    assert len(plan.lives) == round(20 / TURN)
    assert min(map(min, plan.lives)) >= 1


def test_what_breaks_and_what_takes_a_detour_is_seen(net: Network) -> None:
    found = churn(net, KEY, seconds=10, seed=1, ways=["ECMP alone", "to_owner", "neighbours"])
    alone, owner, neighbours = found.values()
    first = min(found.plan.changes)
    assert sum(alone.broken) > 20
    assert sum(alone.broken[:first]) == 0
    assert not any(alone.hops)
    assert min(owner.hops) > 0.2
    assert 0.6 < owner.hops[0] < 0.9  # three of four
    assert sum(owner.broken) > 10
    assert not any(neighbours.hops[:first])
    assert 0.05 < max(neighbours.hops) < 0.6
    assert neighbours.hops[-1] == 0
    assert sum(neighbours.broken) < sum(alone.broken) / 3
    assert found.broken("ECMP alone") == 1e5 * sum(alone.broken) / found.connections
    assert not any(net.hosts[name].eth0.xdp for name in SERVERS)


def filled() -> Churn:
    found = Churn(Plan([np.array([1, 2]), np.array([3])], {1: ["s1", "s2", "s4"]}), SERVERS)
    found["ECMP alone"] = Course([0, 1], [0.0, 0.0])
    found["neighbours"] = Course([0, 0], [0.0, 0.25])
    return found


def test_churn_says_what_it_saw() -> None:
    lines = repr(filled()).splitlines()
    assert lines[:2] == ["3 connections by each way", "s3 leaves at 0.5 s"]
    assert lines[3].split() == ["ECMP", "alone", "1", "33,333", "0.00", "0.00"]
    assert lines[4].split() == ["neighbours", "0", "0", "0.25", "0.25"]


def test_churn_draws_a_row_a_way() -> None:
    picture = filled().plot()
    assert "ECMP alone: 1 broken, at most 0.00 extra hops a packet" in repr(picture)
    assert "s3 leaves at 0.5 s" in repr(picture)
    assert drawn(picture)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"seconds": 5}, "a number from 10 to 60"),
        ({"seed": -1}, "the seed"),
        ({"rate": 5000}, "the connections a second"),
        ({"ways": ["anycast"]}, "no way 'anycast'"),
    ],
)
def test_churn_says_what_is_wrong(
    net: Network, arguments: dict[str, object], sentence: str
) -> None:
    with pytest.raises(LabError, match=sentence):
        churn(net, KEY, **arguments)  # type: ignore[arg-type]


def test_connections_that_the_client_ends_are_over_and_not_broken(net: Network) -> None:
    with Site(net, "to_owner", KEY):
        connections = Connections(net, 40)
        over = connections.at == "s1"
        assert 0 < over.sum() < 40
        connections.end(over).check()
        assert connections.broken == 0
        assert (connections.alive == ~over).all()
        limit = time.monotonic() + 3
        while services(net)["s1"].connections and time.monotonic() < limit:
            time.sleep(0.01)  # polls: the services' loop tells nobody
        assert services(net)["s1"].connections == 0
        connections.more(10).check()
        assert len(connections.flows) == len(connections.at) == 50
        assert connections.alive.sum() == 50 - over.sum()
        assert connections.more(0).broken == 0
        services(net)["s2"].stop()
        assert connections.check().broken == ((connections.at == "s2") & ~connections.alive).sum()
        with pytest.raises(LabError, match="a truth for each of 50 connections"):
            connections.end(over)
