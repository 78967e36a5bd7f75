"""Short connections by the thousand, and what each costs in CPU time.

Other programs on this machine disturb clocks, so costs are CPU time of the lab's own processes.
The kernel handles a packet on veth at once, on behalf of whoever sent it: that is part of it.
Source: clock_getcpuclockid(3).
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..arguments import checked
from ..balancing.service import services
from ..errors import LabError
from ..network.network import Network
from . import short_connections
from .ways import PORT

CLIENTS = 4  # at the same time


SHORT = [sys.executable, "-I", "-S", short_connections.__file__]


def _processor_time(pid: int) -> float:
    """Seconds of CPU time that a process has had, with all its threads."""
    return time.clock_gettime(~pid << 3 | 2)  # CPUCLOCK_SCHED, linux/posix-timers.h


@cache
def _softirq() -> Callable[[], float]:
    """Where the kernel keeps softirq time out of the account of processes, a clock for it."""
    release = os.uname().release
    for path in (f"/boot/config-{release}", f"/lib/modules/{release}/config"):
        with contextlib.suppress(OSError):
            if "CONFIG_IRQ_TIME_ACCOUNTING=y" in Path(path).read_text():
                ticks = os.sysconf("SC_CLK_TCK")
                return lambda: int(Path("/proc/stat").read_text().split()[7]) / ticks
    return lambda: 0.0


def cpu_clock(net: Network) -> Callable[[], float]:
    """Seconds of CPU time, from now on, of the processes that are on the network's hosts now."""
    pids = [pid for host in net for pid in host.pids]
    before = sum(map(_processor_time, pids)) + _softirq()()
    return lambda: sum(map(_processor_time, pids)) + _softirq()() - before


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


def idle(net: Network) -> None:
    """See that no program of the reader's balances in every way's place."""
    if net.lb.eth0.xdp:
        raise LabError(
            f"lb runs {net.lb.eth0.program_name}, which would take the packets before any other "
            "way sees them; take it off first, as in net.lb.eth0.program.detach()"
        )


@contextlib.contextmanager
def serving(net: Network) -> Iterator[None]:
    """A lean server on each host that has the VIP, while the block runs."""
    for service in services(net, PORT).values():
        service.stop()  # it would answer from this process
    for host in (next(iter(net)), net.hosts.get("lb", next(iter(net)))):
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


@checked
def requests(net: Network, number: int = 2000, seconds: float = 10) -> Requests:
    """Connect to the VIP, send a line, read the answer, close; again and again.

    Args:
        net: a network with a VIP; its first host is the client.
        number: how often in all, from 4 to 100,000: 4 clients ask at the same time.
        seconds: the end in any case.
    """
    if not (isinstance(number, int) and CLIENTS <= number <= 100_000 and 0 < seconds <= 60):
        raise LabError(f"requests() takes {CLIENTS} to 100,000 of them and up to 60 s")
    with serving(net):
        return requests_of(net, number, seconds)


def requests_of(net: Network, number: int, seconds: float = 10) -> Requests:
    """The same inside `serving`."""
    client, clock = next(iter(net)), cpu_clock(net)
    vip = net.vip.split("/")[0]
    each = number // CLIENTS
    asking = client.start([*SHORT, "ask", vip, f"{PORT}", f"{CLIENTS}", f"{each}", f"{seconds}"])
    asking.wait_for("done", seconds + 10)
    cpu = clock()
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
