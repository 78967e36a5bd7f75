"""What replies cost a balancer that they pass, and one that they go past.

Sources: tc-tbf(8), proc_net(5).
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..arguments import checked, whole
from ..network.interface import Interface
from ..network.network import Network
from ..plots.live import progress_bar
from .exchanges import exchanges_of
from .nat import XdpNat
from .requests import idle, serving
from .short_connections import MOST
from .ways import NftDnat, Way, Xdp

SIZES = 1_000, 100_000, 1_000_000
BASE = Xdp.name  # counts as 1


@dataclass
class Replied:
    """Replies of one size by one way, a round each, as one reply's share."""

    size: int
    frames: list[float] = field(default_factory=list)  # that lb sent on
    bytes: list[float] = field(default_factory=list)  # of those, Ethernet's headers included
    goodputs: list[float] = field(default_factory=list)  # bits a second
    costs: list[float] = field(default_factory=list)  # µs of CPU time
    failed: int = 0


class Replies(dict[tuple[str, int], Replied]):
    """Replies by the name of the way and their size, measured side by side.

    Attributes:
        missing: why a way could not be used, by its name.
        note: why lb's link is as wide as the others, if it is.
    """

    def __init__(self, ways: Sequence[Way], sizes: Sequence[int]) -> None:
        self.missing = {way.name: way.missing for way in ways if way.missing}
        names = [way.name for way in ways if not way.missing]
        super().__init__({(name, size): Replied(size) for size in sizes for name in names})
        self.note = ""

    def ratio(self, what: str, size: int, one: str, other: str = BASE) -> float:
        """Of a reply by one way, over that by another: the median of the rounds.

        Args:
            what: "bytes" or "frames" through lb, "goodputs", or "costs", which are CPU time.
            size: of the replies.
            one: the name of a way.
            other: of another.
        """
        pairs = (getattr(self[name, size], what) for name in (one, other))
        return statistics.median(a / b if b else 0.0 for a, b in zip(*pairs, strict=True))

    def __repr__(self) -> str:
        names = dict.fromkeys(name for name, _ in self)
        base = BASE if BASE in names else next(iter(names), "")
        heads = "through lb", "bytes", "frames", "goodput", "CPU time"
        lines = [" " * 24 + "".join(f"{head:>12}" for head in heads)]
        for (name, size), one in self.items():
            shown = _size(size) if name == next(iter(names)) else ""
            ratios = (
                f"{self.ratio(what, size, name, base):.2f} ×"
                for what in ("bytes", "frames", "goodputs", "costs")
            )
            cells = f"{statistics.median(one.bytes) / 1000:,.1f} kB", *ratios
            lines.append(f"{shown:10}{name:14}" + "".join(f"{cell:>12}" for cell in cells))
        lines += [f"{name:14}  {why}" for name, why in self.missing.items()]
        lines += [f"of each reply, 1.00 × is {base}"] * bool(base)
        return "\n".join([*lines, *([self.note] if self.note else [])])


@checked
def replies(
    net: Network,
    sizes: Sequence[int] = SIZES,
    rounds: int = 5,
    number: int = 20,
    mbits: int = 100,
    ways: Sequence[type[Way]] = (Xdp, XdpNat, NftDnat),
) -> Replies:
    """Fetch replies of a server, past lb and by way of it, in rounds, one way after the other.

    Lb's link is made narrow, and no other: what the switch sends there goes through a token bucket.
    (The link's other direction carries the same frames.  XDP sends past every qdisc, so there a
    bucket would hold up only the other ways.)  CPU time, before that, is of client and servers, on
    whose behalf the kernel carries packets through lb; what it leaves to threads of its own, much
    where frames crowd, is not counted.

    Args:
        net: what balanced() gives, with nothing attached to lb.
        sizes: bytes of a reply, each from 1 to 10,000,000.
        rounds: at least one.
        number: of replies by each way in each round, from one client, one at a time.
        mbits: megabits a second of lb's link; 0 leaves it as it is.
        ways: those to compare.

    Raises:
        LabError: while lb runs an XDP program, and for no rounds.
    """
    for size in sizes:
        whole("the size of a reply", size, 1, MOST)
    whole("the number of rounds", rounds, 1, 100)
    whole("the number of replies", number, 1, 10_000)
    whole("the speed of lb's link", mbits, 0, 10_000)
    idle(net)
    made = [way(net) for way in ways]
    found = Replies(made, sizes)
    usable = [way for way in made if not way.missing]
    with serving(net), progress_bar(rounds * len(usable), "fetching") as shown:
        for turn in range(rounds):
            for place, way in enumerate(usable):
                with way:
                    for size in sizes:
                        found.note = _fetch(net, number, mbits, found[way.name, size])
                shown(turn * len(usable) + place + 1)
    return found


def _fetch(net: Network, number: int, mbits: int, into: Replied) -> str:
    """One round's replies by the way in force: what they cost, and then how fast they are.

    Behind a token bucket frames wait, and a timer of the kernel's sends them on, on no process's
    behalf: so what they cost is counted first, without it.
    """
    port = net.lb.eth0.peer
    exchanges_of(net, 3, into.size)  # neighbours are known, and routes
    before = _sent_by_lb(port)
    took = exchanges_of(net, number, into.size, seconds=60)
    frames, size = (after - was for after, was in zip(_sent_by_lb(port), before, strict=True))
    into.frames.append(frames / number)
    into.bytes.append(size / number)
    into.costs.append(took.cpu / number * 1e6)
    goodput = took.goodput
    with narrow(port, mbits) as note:
        if mbits and not note:
            took = exchanges_of(net, number, into.size, seconds=60)
            goodput = took.goodput
        elif mbits and size:
            goodput = min(goodput, mbits * 1e6 * took.received / size)
    into.goodputs.append(goodput)
    into.failed += took.failed
    return note


def _sent_by_lb(port: Interface) -> tuple[int, int]:
    """Frames and bytes that came out of lb so far.  (Of what goes in, XDP counts no Ethernet.)"""
    with port.inside():
        line = Path("/proc/thread-self/net/dev").read_text().partition(f" {port.name}:")[2]
    received, frames = line.split()[:2]
    return int(frames), int(received)


@contextlib.contextmanager
def narrow(port: Interface, mbits: int) -> Iterator[str]:
    """What a port sends goes through a token bucket while the block runs.

    Gives an empty text; on a kernel without token buckets, what is done in their place.
    """
    host, dev = port.host, port.name
    if not mbits:
        yield ""
        return
    bucket = f"tc qdisc replace dev {dev} root tbf rate {mbits}mbit burst 16kb latency 50ms"
    made = host.run(bucket)
    if made.status:
        yield (
            f"no link could be made narrow here ({made.output.strip()}): goodput is reckoned from "
            f"the bytes, for {mbits} Mbit/s"
        )
        return
    try:
        yield ""
    finally:
        host.run(f"tc qdisc del dev {dev} root")


def _size(size: int) -> str:
    for unit, name in ((1_000_000, "MB"), (1_000, "kB")):
        if size >= unit:
            return f"{size / unit:g} {name}"
    return f"{size} B"
