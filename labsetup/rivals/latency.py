"""How long a request takes by each way, and a packet that takes a detour: as distributions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import checked, whole
from ..balancing.hashing import flow_hash, random_flows, table
from ..balancing.peers import Peers
from ..errors import LabError
from ..network.network import Network
from ..plots.live import progress_bar
from ..plots.plots import Picture, plot
from ..plots.style import MARKS, SERIES, SIGNS
from ..routing.ecmp import next_hops
from .comparison import WAYS
from .exchanges import Exchanges, exchanges_of
from .requests import idle, serving
from .ways import Way

PERCENTILES = 50, 99, 99.9
PORTS = range(61_000, 65_500)  # neither the kernel's own choice nor that of Connections
STRAIGHT, DETOUR = "straight on", "by a detour"
EACH = 200  # ports of each kind, used again and again
ROW, MARGIN = 44, 78  # pixels
BINS = 80  # of the axis


class Latency(dict[str, list[NDArray[np.float64]]]):
    """Microseconds of each request, a list of rounds for each way.

    Attributes:
        what: was timed.
        missing: why a way could not be used, by its name.
        failed: how many had no answer; they are not among the times.
    """

    def __init__(self, what: str, names: Sequence[str], missing: dict[str, str]) -> None:
        super().__init__({name: [] for name in names})
        self.what, self.missing, self.failed = what, missing, 0

    def add(self, name: str, times: NDArray[np.float64]) -> None:
        """Note a round's times, of which those that failed are below 0."""
        there = times[times >= 0]
        self.failed += len(times) - len(there)
        if not len(there):
            raise LabError(f"{name}: none of {len(times)} connections had an answer")
        self[name].append(there)

    def rounds(self, name: str, percentile: float) -> list[float]:
        """A percentile of each round, in microseconds."""
        return [float(np.percentile(times, percentile)) for times in self[name]]

    def percentile(self, name: str, percentile: float) -> float:
        """The median of the rounds' percentiles, in microseconds."""
        return statistics.median(self.rounds(name, percentile))

    def ratio(self, percentile: float, one: str, other: str) -> float:
        """A percentile of one over that of another: the median of the rounds."""
        pairs = zip(self.rounds(one, percentile), self.rounds(other, percentile), strict=True)
        return statistics.median(a / b for a, b in pairs)

    def plot(self) -> Picture:
        """A row for each, with how often each time came, and its percentiles."""
        low = min(times.min() for rounds in self.values() for times in rounds)
        high = max(self.percentile(name, PERCENTILES[-1]) for name in self) * 1.3
        edges = np.geomspace(low, high, BINS + 1)
        middles = np.sqrt(edges[1:] * edges[:-1])

        def draw(axes: Any) -> None:
            for place, (name, rounds) in enumerate(self.items()):
                base = len(self) - 1 - place
                heights = np.histogram(np.concatenate(rounds), edges)[0]
                heights = base + 0.8 * heights / heights.max()
                axes.fill_between(middles, heights, base, step="mid", color=SERIES[0], alpha=0.6)
                for mark, percentile in zip(MARKS, PERCENTILES, strict=False):
                    at = self.percentile(name, percentile)
                    axes.plot(at, base, mark, color=SERIES[1], clip_on=False, zorder=3)
            axes.set_xscale("log")
            axes.set_xlim(low, high)
            ticks = [t for t in _ticks(low) if low <= t <= high]
            axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
            axes.set_xticks([], minor=True)
            axes.set_yticks([len(self) - 0.6 - place for place in range(len(self))], list(self))
            axes.set_ylim(-0.15, len(self))
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="y", visible=False)
            axes.set_xlabel(f"microseconds of {self.what}")
            signs = (f"{s} {_ordinal(p)}" for s, p in zip(SIGNS, PERCENTILES, strict=False))
            axes.set_title(f"{'   '.join(signs)} percentile", loc="left")

        told = "; ".join(
            f"{name} "
            + ", ".join(f"{_ordinal(p)} {self.percentile(name, p):.0f} µs" for p in PERCENTILES)
            for name in self
        )
        words = f"percentiles of {self.what}: {told}"
        return plot(draw, words, height=MARGIN + ROW * len(self))

    def __repr__(self) -> str:
        heads = "".join(f"{f'{_ordinal(p)} percentile':>27}" for p in PERCENTILES)
        lines = [f"{self.what:14}{heads}"]
        for name in self:
            cells = []
            for percentile in PERCENTILES:
                rounds = self.rounds(name, percentile)
                middle, least, most = (f(rounds) for f in (statistics.median, min, max))
                cells.append(f"{middle:.0f} µs ({least:.0f} to {most:.0f})")
            lines.append(f"{name:14}" + "".join(f"{cell:>27}" for cell in cells))
        lines += [f"{name:14}  {why}" for name, why in self.missing.items()]
        number = len(next(iter(self.values()), []))
        lines.append(f"the median of {number} rounds, and the least and the most of them")
        return "\n".join([*lines, *([f"{self.failed} had no answer"] if self.failed else [])])


@checked
def latency(
    net: Network, rounds: int = 7, number: int = 1000, ways: Sequence[type[Way]] = WAYS
) -> Latency:
    """Time requests by each way, in rounds, one way after the other in each.

    A request is a connection of its own, from its SYN to the end of a short answer.  One client
    asks, the next time when it has its answer: so no request waits for another, as many would in
    a crowd, and what is timed is the way itself with the work of both ends.

    Args:
        net: what balanced() gives, with nothing attached to lb.
        rounds: at least one.
        number: of requests by each way in each round; the 99.9th percentile wants 1,000.
        ways: those to time.

    Raises:
        LabError: while lb runs an XDP program, and for no rounds.
    """
    _bounds(rounds, number)
    idle(net)
    made = [way(net) for way in ways]
    usable = [way for way in made if not way.missing]
    missing = {way.name: way.missing for way in made if way.missing}
    found = Latency("a request", [way.name for way in usable], missing)
    with serving(net), progress_bar(rounds * len(usable), "asking") as shown:
        for turn in range(rounds):
            for place, way in enumerate(usable):
                with way:
                    exchanges_of(net, 20)  # neighbours are known, and routes
                    found.add(way.name, exchanges_of(net, number).done)
                shown(turn * len(usable) + place + 1)
    return found


@checked
def detours(net: Network, peers: Peers, rounds: int = 7, number: int = 1000) -> Latency:
    """Time packets that servers hand on to each other, beside packets that come to their owner.

    What is timed is a SYN and the answer to it, which the owner's kernel gives: no process has to
    be woken for it.  The answer takes no detour.  The client's ports choose which SYN does, and
    the two kinds take turns, one connection after the other.

    Args:
        net: what no_balancer() gives, after ecmp().
        peers: who share its VIP.
        rounds: at least one.
        number: of packets of each kind in each round.
    """
    _bounds(rounds, number)
    first = next(iter(peers.values()))
    if first.net is not net or not net.open:
        raise LabError("these peers are on another network; make new ones: Peers(net)")
    if off := [name for name, one in peers.items() if not one.program.places]:
        raise LabError(f"{off[0]} does not run these peers' program; make new ones: Peers(net)")
    client = next(iter(net)).address
    flows = np.repeat(random_flows(1, clients=f"{client}/32"), len(PORTS))
    flows["ports"][:, 0] = PORTS
    there = next_hops(net, flows) == table(flow_hash(flows, first.key), first.servers)
    kinds = [np.array(PORTS)[there == straight][:EACH] for straight in (True, False)]
    each = min(map(len, kinds))
    if not each:
        raise LabError(
            f"the router sends {'all' if there.all() else 'no'} flows to their owner; with "
            "ecmp(net) it spreads them over all servers"
        )
    ports = np.stack([kind[:each] for kind in kinds], axis=1).ravel().tolist()
    found = Latency("a SYN and its answer", [STRAIGHT, DETOUR], {})
    with serving(net), progress_bar(rounds, "asking") as shown:
        for turn in range(rounds):
            taken: Exchanges = exchanges_of(net, 2 * number, ports=ports)
            for place, name in enumerate((STRAIGHT, DETOUR)):
                found.add(name, taken.opened[place::2])
            shown(turn + 1)
    return found


def _bounds(rounds: int, number: int) -> None:
    whole("the number of rounds", rounds, 1, 100)
    whole("the number of requests", number, 1, 20_000)


def _ordinal(percentile: float) -> str:
    return f"{percentile:g}th"


def _ticks(low: float) -> list[float]:
    first = math.floor(math.log10(low))
    return [one * 10.0**power for power in range(first, first + 6) for one in (1, 2, 5)]
