"""What a way to balance costs: CPU time a request, frames a second, connections that break.

Other programs on this machine disturb clocks, so costs are CPU time of the lab's own processes.
The kernel handles a packet on veth at once, on behalf of whoever sent it: that is part of it.
Sources: clock_getcpuclockid(3), Documentation/bpf/bpf_prog_run.rst.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import libbpf, short, show
from .flows import Connections, services
from .hosts import Network
from .packets import IP, UDP, Ether, Raw, frame
from .program import Program
from .rivals import PORT, WAYS, Direct, HAProxy, NftDnat, Way
from .sandbox import LabError

CLIENTS = 4  # at the same time
SHORT = [sys.executable, "-I", "-S", short.__file__]
HEADERS = 42  # of a template of bpf/flood.c
AT_ONCE = 200_000  # live frames in one call, so that it is over in a second
FLOWS = 64 * 64


def _processor_time(pid: int) -> float:
    """Seconds of CPU time that a process has had, with all its threads."""
    return time.clock_gettime(~pid << 3 | 2)  # CPUCLOCK_SCHED, linux/posix-timers.h


def _softirq_apart() -> Callable[[], float]:
    """Where the kernel keeps softirq time out of the account of processes, a clock for it."""
    release = os.uname().release
    for path in (f"/boot/config-{release}", f"/lib/modules/{release}/config"):
        with contextlib.suppress(OSError):
            if "CONFIG_IRQ_TIME_ACCOUNTING=y" in Path(path).read_text():
                ticks = os.sysconf("SC_CLK_TCK")
                return lambda: int(Path("/proc/stat").read_text().split()[7]) / ticks
    return lambda: 0.0


_softirq = _softirq_apart()


@dataclass(frozen=True)
class Requests:
    """What became of some short connections, and what they cost."""

    number: int  # that were answered
    reset: int
    timed_out: int
    servers: Counter[str]  # how many each answered
    sources: set[str]  # addresses that servers saw
    seconds: float
    cpu: float  # seconds of all processes on the network's hosts

    @property
    def per_second(self) -> float:
        """Connections a second, CLIENTS at a time."""
        return self.number / self.seconds

    @property
    def cost(self) -> float:
        """Microseconds of CPU time each."""
        return self.cpu / max(1, self.number) * 1e6

    def __repr__(self) -> str:
        return (
            f"{self.number} answered, {self.reset} reset, {self.timed_out} timed out\n"
            f"{len(self.servers)} servers, which saw {', '.join(sorted(self.sources))}\n"
            f"{self.cost:.0f} µs of CPU time each"
        )


@contextlib.contextmanager
def _serving(net: Network) -> Iterator[None]:
    """A lean server on each host that has the VIP, while the block runs."""
    for service in services(net, PORT).values():
        service.stop()  # it would answer from this process
    for host in (next(iter(net)), net.lb):
        # A port comes round again while a server still remembers it (TIME_WAIT).  It takes that for
        # new by a newer timestamp, so hosts that seem to be one must not begin anywhere.
        with host.inside():
            Path("/proc/sys/net/ipv4/tcp_timestamps").write_text("2")
    started = [net.hosts[name].start([*SHORT, "serve", name, f"{PORT}"]) for name in net.vip_hosts]
    try:
        for server in started:
            server.wait_for("ready")
        yield
    finally:
        for server in started:
            server.stop(quiet=0)


def requests(net: Network, number: int = 2000, seconds: float = 10) -> Requests:
    """Connect to the VIP, send a line, read the answer, close; again and again.

    Args:
        net: a network with a VIP; its first host is the client.
        number: how often in all, from 4 to 100,000: 4 clients ask at the same time.
        seconds: the end in any case.
    """
    if not (isinstance(number, int) and CLIENTS <= number <= 100_000 and 0 < seconds <= 60):
        raise LabError(f"requests() takes {CLIENTS} to 100,000 of them and up to 60 s")
    with _serving(net):
        return _requests(net, number, seconds)


def _requests(net: Network, number: int, seconds: float = 10) -> Requests:
    client = next(iter(net))
    pids = [pid for host in net for pid in host.pids]
    before = sum(map(_processor_time, pids)) + _softirq()
    vip = net.vip.split("/")[0]
    each = number // CLIENTS
    asking = client.start([*SHORT, "ask", vip, f"{PORT}", f"{CLIENTS}", f"{each}", f"{seconds}"])
    asking.wait_for("done", seconds + 10)
    cpu = sum(map(_processor_time, pids)) + _softirq() - before
    said = [json.loads(line) for line in asking.stop(quiet=0).output.splitlines()[:-1]]
    answers: Counter[str] = sum((Counter(counts) for counts, _, _ in said), Counter())
    failed = {why: answers.pop(why, 0) for why in ("reset", "timed out")}
    by: Counter[str] = Counter()
    for answer, count in answers.items():
        by[answer.split()[0]] += count
    return Requests(
        sum(answers.values()),
        failed["reset"],
        failed["timed out"],
        by,
        {answer.split()[1] for answer in answers},
        max(took for _, took, _ in said),
        cpu + sum(used for _, _, used in said),
    )


@dataclass(frozen=True)
class Burst:
    """Live frames that were sent through lb."""

    sent: int
    arrived: int
    seconds: float  # by the kernel's clock; one CPU makes, carries and sinks them

    @property
    def per_second(self) -> float:
        """Frames that arrived, a second."""
        return self.arrived / self.seconds

    def __repr__(self) -> str:
        return f"{self.sent} sent, {self.arrived} came through"


class Flood:
    """UDP frames of 4,096 flows for the VIP, from the switch's port to lb and back to it.

    bpf/flood.c makes them.  What lb sends on ends at that port, in xdp_drop, whichever way it was
    balanced; so they cost what lb costs, and the same little for all.
    Use it as a context manager, inside that of a way.
    """

    def __init__(self, net: Network) -> None:
        self._net, self._lb, self._port = net, net.lb.eth0, net.lb.eth0.peer
        self._program, self._sink = Program("flood"), Program("xdp_drop")
        client = next(iter(net)).eth0.addresses[0]
        sources = ipaddress.ip_network(f"{client.ip}/25", strict=False).broadcast_address + 1
        headers = IP(src=str(sources), dst=net.vip.split("/")[0]) / UDP(sport=1024, dport=PORT)
        macs = Ether(src=net.client.eth0.mac, dst=self._lb.mac)
        self._frame = frame(macs / headers / Raw(bytes(18)))
        self._program["templates"][0] = {"byte": self._frame[:HEADERS]}
        for name in net.vip_hosts:  # ask now: the sink would swallow the answer
            net.lb.ping(net.hosts[name], count=1)

    def __enter__(self) -> Flood:
        self._gro = self._lb.xdp is None
        if self._gro:  # without XDP there, veth takes live frames only like this
            self._net.lb.run(f"ethtool -K {self._lb.name} gro on")
        self._sink.attach(self._port, helper=False)
        try:
            self.send(4 * FLOWS)  # what is done once a flow has been done
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._sink.detach()
        if self._gro:
            self._net.lb.run(f"ethtool -K {self._lb.name} gro off")

    def send(self, count: int = 100_000) -> Burst:
        """Send frames, at most 2,000,000."""
        if not (isinstance(count, int) and 1 <= count <= 2_000_000):
            raise LabError(f"send() takes 1 to 2,000,000 frames, not {count}")
        before = self._port.counters["xdp_drops"]
        index, took = self._port.index, 0
        with self._port.host.inside():
            for done in range(0, count, AT_ONCE):
                part = min(AT_ONCE, count - done)
                took += part * libbpf.run_live(self._program.fd, self._frame, index, part)
        return Burst(count, self._port.counters["xdp_drops"] - before, took / 1e9)


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

    def plot(self) -> show.Picture:
        """CPU time a request, as a bar for each way."""
        base = self._base("costs", HAProxy.name)
        names = [name for name in self if self[name].costs]

        def draw(axes) -> None:
            bars = axes.barh(names, [self.cost(name, base) for name in names], color=show.SERIES[0])
            axes.bar_label(bars, fmt="%.2f", padding=3)
            axes.invert_yaxis()
            axes.grid(axis="y", visible=False)
            axes.set_xlabel(f"CPU time a request, {base} = 1")

        return show.plot(draw, f"CPU time a request by {', '.join(names)}, as shares of {base}")

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
    """
    if not (isinstance(rounds, int) and rounds >= 1):
        raise LabError(f"compare() takes at least one round, not {rounds}")
    made = [way(net) for way in ways]
    found = Comparison(net, made)
    usable = [way for way in made if not way.missing]
    flood = Flood(net) if frames else None
    with _serving(net), show.progress(rounds * len(usable), "comparing") as shown:
        for turn in range(rounds):
            for place, way in enumerate(usable):
                figures = found[way.name]
                with way:
                    asked = _requests(net, number)
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


def breaks(way: Way, connections: int = 200) -> tuple[float, float]:
    """Shares of connections that break: when the last server gets no new ones, though it goes on
    to run; and when lb forgets all but its configuration.
    """
    *rest, _ = way.net.vip_hosts
    shares = []
    for change in (lambda: way.use(*rest), way.lose_state):
        with way:
            held = Connections(way.net, connections, PORT)
            if held.broken:
                raise LabError(f"{way.name}: {held.broken} connections did not open")
            change()
            shares.append(held.check().broken / connections)
            held.close()
    return shares[0], shares[1]
