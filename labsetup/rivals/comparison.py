"""Ways to balance, measured side by side."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..arguments import checked, whole
from ..balancing.connections import Connections
from ..errors import LabError
from ..network.network import Network
from ..plots.live import progress_bar
from ..plots.plots import Picture, plot
from ..plots.style import SERIES
from .flood import Flood
from .ipvs import IpvsMaglev, IpvsSource
from .nat import XdpNat
from .proxy import HAProxy
from .requests import CLIENTS, idle, requests_of, serving
from .ways import (
    PORT,
    Direct,
    NftDnat,
    NftIngress,
    NftMasquerade,
    Way,
    Xdp,
    XdpMemory,
)

WAYS: tuple[type[Way], ...] = (
    Direct,
    Xdp,
    XdpMemory,
    XdpNat,
    NftIngress,
    IpvsMaglev,
    IpvsSource,
    NftDnat,
    NftMasquerade,
    HAProxy,
)


@dataclass
class Figures:
    """What was measured of one way."""

    name: str
    costs: list[float] = field(default_factory=list)  # µs a request, a round each
    frames: list[float] = field(default_factory=list)  # a second, likewise
    sources: set[str] = field(default_factory=set)
    failed: int = 0
    drained: float | None = None  # share of connections that broke
    lost: float | None = None
    missing: str = ""


class Comparison(dict[str, Figures]):
    """Ways to balance, by name, measured side by side.

    Attributes:
        note: why there are no frames, if this machine cannot make them.
    """

    def __init__(self, net: Network, ways: Sequence[Way]) -> None:
        super().__init__({way.name: Figures(way.name, missing=way.missing) for way in ways})
        self._hosts = {
            str(address.ip): host.name
            for host in net
            for interface in host.interfaces.values()
            for address in interface.addresses
        }
        self._servers = len(net.vip_hosts)
        self.note = ""

    def cost(self, one: str, other: str) -> float:
        """CPU time a request by one way, over that by another: the median of the rounds."""
        return self._ratio(self[one].costs, self[other].costs)

    def frames(self, one: str, other: str) -> float:
        """Frames a second by one way, over those by another: the median of the rounds."""
        return self._ratio(self[one].frames, self[other].frames)

    @staticmethod
    def _ratio(ones: Sequence[float], others: Sequence[float]) -> float:
        return statistics.median(a / b for a, b in zip(ones, others, strict=True))

    def _base(self, measured: str, wanted: str) -> str:
        """The way that counts as 1: the one that is wanted, or else the first."""
        names = [name for name, one in self.items() if getattr(one, measured)]
        return wanted if wanted in names else next(iter(names), "")

    def plot(self) -> Picture:
        """CPU time a request, as a bar for each way."""
        base = self._base("costs", HAProxy.name)
        names = [name for name in self if self[name].costs]

        def draw(axes: Any) -> None:
            bars = axes.barh(names, [self.cost(name, base) for name in names], color=SERIES[0])
            axes.bar_label(bars, fmt="%.2f", padding=3)
            axes.invert_yaxis()
            axes.grid(axis="y", visible=False)
            axes.set_xlabel(f"CPU time a request, {base} = 1")

        costs = ", ".join(f"{name} {self.cost(name, base):.2f} ×" for name in names)
        return plot(draw, f"CPU time a request, as shares of {base}: {costs}")

    def __repr__(self) -> str:
        base = self._base("costs", HAProxy.name)
        carrier = self._base("frames", NftDnat.name)
        heads = ("CPU a request", "frames a second", "a server sees", "server out", "state lost")
        lines = [" " * 14 + "".join(f"{head:>17}" for head in heads)]
        for name, one in self.items():
            if one.missing:
                lines.append(f"{name:14}  {one.missing}")
                continue
            cells = [
                f"{self.cost(name, base):.2f} ×",
                f"{self.frames(name, carrier):.2f} ×" if one.frames else "-",
                ", ".join(sorted(self._hosts.get(source, source) for source in one.sources)),
                *(self._share(share) for share in (one.drained, one.lost)),
            ]
            lines.append(f"{name:14}" + "".join(f"{cell:>17}" for cell in cells))
        lines += [
            f"1.00 × is {base}" + (f"; of frames, {carrier}" if carrier else ""),
            "server out, state lost: the share of connections that broke",
            *([self.note] if self.note else []),
        ]
        return "\n".join(lines)

    def _share(self, share: float | None) -> str:
        if share is None:
            return "-"
        if share in (0, 1):
            return "all" if share else "none"
        one = self._servers
        near = {1 / one: f"1/{one}", 0.5: "half", 1 - 1 / one: f"{one - 1}/{one}"}
        return near[min(near, key=lambda value: abs(value - share))]


@checked
def compare(
    net: Network,
    rounds: int = 5,
    number: int = 2000,
    frames: int = 100_000,
    connections: int = 200,
    ways: Sequence[type[Way]] = WAYS,
) -> Comparison:
    """Measure ways to balance in rounds, one after the other in each, so that all suffer alike.

    Args:
        net: what balanced() gives, with nothing attached to lb.
        rounds: of requests and frames, at least one.
        number: of requests by each way in each round.
        frames: live frames, likewise; 0 for none.
        connections: to hold while a server is taken out, and while state is lost; 0 for none.
        ways: those to compare.

    Raises:
        LabError: while lb runs an XDP program, and for no rounds.
    """
    whole("the number of rounds", rounds, 1, 100)
    whole("the number of requests", number, CLIENTS, 100_000)
    whole("the number of frames", frames, 0, 2_000_000)
    whole("the number of connections", connections, 0, 10_000)
    idle(net)
    made = [way(net) for way in ways]
    found = Comparison(net, made)
    usable = [way for way in made if not way.missing]
    flood = Flood(net) if frames else None
    with serving(net), progress_bar(rounds * len(usable), "comparing") as shown:
        for turn in range(rounds):
            for place, way in enumerate(usable):
                figures = found[way.name]
                with way:
                    asked = requests_of(net, number)
                    figures.costs.append(asked.cost)
                    figures.sources |= asked.sources
                    figures.failed += asked.reset + asked.timed_out
                    if flood and way.forwards:
                        try:
                            with flood:
                                figures.frames.append(flood.send(frames).per_second)
                        except LabError as error:  # an older kernel; the rest goes on
                            flood, found.note = None, f"{error}"
                shown(turn * len(usable) + place + 1)
    for way in usable if connections else []:
        if not isinstance(way, Direct):
            found[way.name].drained, found[way.name].lost = breaks(way, connections)
    return found


@checked
def breaks(way: Way, connections: int = 200) -> tuple[float, float]:
    """Shares of connections that break: when the last server gets no new ones, though it goes on
    to run; and when lb forgets all but its configuration.

    Args:
        way: one way to balance, not in force.
        connections: to hold each time.
    """
    whole("the number of connections", connections, 1, 10_000)
    *rest, _ = way.net.vip_hosts
    shares = []
    changes: tuple[Callable[[], None], ...] = (lambda: way.use(*rest), way.lose_state)
    for change in changes:
        with way:
            held = Connections(way.net, connections, PORT)
            if held.broken:
                raise LabError(f"{way.name}: {held.broken} connections did not open")
            change()
            shares.append(held.check().broken / connections)
            held.close()
    return shares[0], shares[1]
