"""Servers come and go while connections do: what breaks by each way, and what takes a detour."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arguments import amount, checked, whole
from ...balancing.connections import Connections
from ...errors import LabError
from ...network.network import Network
from ...plots.live import moving
from ...plots.plots import Picture, plot
from ...plots.style import SERIES
from ...routing.ecmp import router_of
from .scene import WAYS, Site

TURN = 0.5  # seconds from one look at the connections to the next
LIFE, LONGEST = 1.5, 5.0  # seconds, on average (exponential), and at most
BEFORE, BETWEEN, AFTER = 2.0, (2.0, 4.0), LONGEST + 1  # seconds without a change
FEWEST = 2  # servers at any time
ROW, MARGIN, BAND = 42, 84, 1.3  # pixels; and a row's height with the space above it


@dataclass(frozen=True)
class Plan:
    """What happens in each turn, the same by every way.

    Attributes:
        lives: of the connections that open in it, turns until each is ended.
        changes: the turns before which the set of servers changes, and who serves from then on.
    """

    lives: list[NDArray[np.int64]]
    changes: dict[int, list[str]]

    @classmethod
    def drawn(cls, servers: Sequence[str], seconds: float, rate: int, seed: int) -> Plan:
        """Have chance make one.

        Args:
            servers: all that there are.
            seconds: how long connections come and end.
            rate: connections that open in a second, on average.
            seed: the same gives the same.
        """
        chance = np.random.default_rng(seed)
        arrivals = chance.poisson(rate * TURN, round(seconds / TURN))
        arrivals[0] += round(rate * LIFE)  # as many as are there at any time
        lives = []
        for many in arrivals:
            drawn = np.minimum(chance.exponential(LIFE, many), LONGEST)
            lives.append(np.maximum(1, np.rint(drawn / TURN)).astype(int))
        changes: dict[int, list[str]] = {}
        now, at = set(servers), BEFORE
        while at < seconds - AFTER:
            out = sorted(set(servers) - now)
            if not out or (len(now) > FEWEST and chance.random() < 0.5):
                now = now - {chance.choice(sorted(now))}
            else:
                now = now | {chance.choice(out)}
            changes[round(at / TURN)] = [name for name in servers if name in now]
            at += chance.uniform(*BETWEEN)
        return cls(lives, changes)


@dataclass
class Course:
    """How it went by one way, a number for each turn.

    Attributes:
        broken: connections that were lost in it.
        hops: from server to server, for each packet that the router sent to one.
    """

    broken: list[int] = field(default_factory=list)
    hops: list[float] = field(default_factory=list)


class Churn(dict[str, Course]):
    """What broke by each way, and what took a detour, while servers came and went.

    Attributes:
        plan: what happens in each turn.
        connections: how many opened, by each way.
        changes: seconds after which the set of servers changed, and who served from then on.
    """

    def __init__(self, plan: Plan, servers: Sequence[str]) -> None:
        super().__init__()
        self.plan, self._servers = plan, servers
        self.connections = sum(map(len, plan.lives))
        self.changes = {TURN * turn: names for turn, names in plan.changes.items()}

    def broken(self, way: str) -> float:
        """Connections that broke, of 100,000."""
        return 1e5 * sum(self[way].broken) / self.connections

    def _said(self) -> list[str]:
        """Each change in words."""
        before, said = set(self._servers), []
        for at, names in self.changes.items():
            left, came = before - set(names), set(names) - before
            said.append(f"{', '.join(left or came)} {'leaves' if left else 'is back'}")
            said[-1] += f" at {at:.1f} s"
            before = set(names)
        return said

    def plot(self) -> Picture:
        """A row for each way: what broke in each second, and the hops a packet."""
        turns, each = len(self.plan.lives), round(1 / TURN)
        rows = {way: BAND * (len(WAYS) - 1 - place) for place, way in enumerate(WAYS)}
        seconds = {
            way: np.add.reduceat(one.broken, range(0, len(one.broken), each))
            for way, one in self.items()
            if one.broken
        }
        most = max([1, *(int(one.max()) for one in seconds.values())])
        high = max([1.0, *(hops for one in self.values() for hops in one.hops)])

        def draw(broken: Any, hops: Any) -> None:
            for way, base in rows.items():
                course = self.get(way, Course())
                if way in seconds:
                    middles = np.arange(len(seconds[way])) + 0.5
                    broken.bar(middles, seconds[way] / most, 0.9, bottom=base, color=SERIES[1])
                    words = f"{sum(course.broken)} in all"
                    broken.text(TURN * turns, base + 0.5, words, ha="right", va="center")
                if course.hops:
                    edges = TURN * np.arange(len(course.hops) + 1)
                    heights = base + np.array([*course.hops, course.hops[-1]]) / high
                    hops.fill_between(edges, heights, base, step="post", color=SERIES[0], alpha=0.7)
            for axes, what in (
                (broken, f"broken a second, each row up to {most}"),
                (hops, f"extra hops a packet, each up to {high:.1f}"),
            ):
                for base in rows.values():
                    axes.axhline(base, color="gray", linewidth=0.8)
                for at in self.changes:
                    axes.axvline(at, color="gray", linewidth=1, linestyle=":")
                axes.set_title(what, loc="left")
                axes.set_xlim(0, TURN * turns)
                axes.set_xlabel("seconds")
                axes.set_ylim(-0.05, BAND * (len(rows) - 1) + 1.05)
                axes.set_yticks([])
                axes.grid(axis="y", visible=False)
            broken.set_yticks([base + 0.5 for base in rows.values()], list(rows))
            broken.tick_params(axis="y", length=0)

        told = [
            f"{way}: {sum(one.broken)} broken, at most {max(one.hops):.2f} extra hops a packet, "
            f"{one.hops[-1]:.2f} at the end"
            for way, one in self.items()
            if one.hops
        ]
        words = f"{self.connections} connections, {', '.join(self._said())}. {'; '.join(told)}"
        return plot(draw, words, panels=2, height=MARGIN + ROW * len(WAYS))

    def __repr__(self) -> str:
        heads = "  broken   of 100,000   extra hops a packet, at most   at the end"
        lines = [
            f"{self.connections:,} connections by each way",
            ", ".join(self._said()),
            f"{'':14}{heads}",
        ]
        for way, one in self.items():
            lines.append(
                f"{way:14}{sum(one.broken):>8}{self.broken(way):>13,.0f}{max(one.hops):>31.2f}"
                f"{one.hops[-1]:>13.2f}"
            )
        return "\n".join(lines)


def _run(site: Site, found: Churn, way: str, show: Callable[[Callable[[], Picture]], None]) -> None:
    """All turns: in each, servers change, connections end, others open, and all are asked."""
    course, plan, net = found.setdefault(way, Course()), found.plan, site.net
    servers = [net.hosts[name].first for name in net.vip_hosts]
    ends, connections, lost = np.zeros(0, np.int64), None, 0
    begun = time.monotonic()
    for turn, lives in enumerate(plan.lives):
        # Turns begin on time, or late on a machine that is slow.
        pause = begun + TURN * turn - time.monotonic()
        time.sleep(max(0.0, pause))  # a pace: nothing is waited for, so nothing could be polled
        if turn in plan.changes:
            site.use(*plan.changes[turn])
        before = [one.counters for one in servers]
        if connections is None:
            connections = Connections(net, len(lives))
        else:
            connections.end(ends <= turn).more(len(lives))
        ends = np.append(ends, turn + lives)
        connections.check()
        counts = [one.counters - was for one, was in zip(servers, before, strict=True)]
        hops = sum(one["xdp_tx"] for one in counts)
        course.hops.append(hops / max(1, sum(one["rx_packets"] for one in counts) - hops))
        course.broken.append(connections.broken - lost)
        lost = connections.broken
        show(found.plot)
    if connections:
        connections.close()


@checked
def churn(
    net: Network,
    key: tuple[int, int],
    seconds: int | float = 20,
    rate: int = 100,
    seed: int = 1,
    ways: Sequence[str] = WAYS,
) -> Churn:
    """Have connections come and end while servers come and go, by one way after the other.

    A server that leaves goes on running: it gets no new connections.  Every connection that is
    alive is asked in each turn, so what breaks is seen.

    Args:
        net: a network such as no_balancer(), with no program attached.
        key: of the servers' hash.
        seconds: by each way, from 10 to 60; longer on a machine that does not keep up.
        rate: connections that open in a second, on average, from 10 to 500.
        seed: of arrivals, lives and changes; the router's hash has one of its own.
        ways: those to try, of which this machine may not have all.

    Raises:
        LabError: for a way that there is not, for none, and without a network.
    """
    amount("the seconds of churn()", seconds, 10, 60)
    whole("the connections a second", rate, 10, 500)
    whole("the seed", seed, 0, 2**32 - 1)
    router_of(net)
    there = Site.ways(net)
    names = [way for way in ways if way in there or way not in WAYS]
    if not names:
        raise LabError(f"churn() takes at least one way; there are: {', '.join(WAYS)}")
    found = Churn(Plan.drawn(net.vip_hosts, seconds, rate, seed), net.vip_hosts)
    with moving(f"connections come and end by {', '.join(names)}: a plot that moves") as show:
        show(found.plot)
        for way in names:
            with Site(net, way, key) as site:
                _run(site, found, way, show)
    return found
