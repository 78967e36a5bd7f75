"""The control plane of a balancer: what balancer.toml says, told to the program in the kernel.

balancer.py run [FILE]      tell it, keep an eye on the servers; SIGHUP reads the file again,
                            SIGUSR1 upgrades, SIGTERM ends this process and no connection
balancer.py check [FILE]    say what is wrong with the file
balancer.py upgrade [FILE]  put a new balancer.bpf.o in the place of the one that runs
balancer.py down [FILE]     take the program off, and all that is pinned
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator

from prometheus_client import REGISTRY, Counter, Metric, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from health import Health, wait_for_macs
from plane import OBJECT, Plane, down, upgrade
from settings import Mistake, read

FILE = "/etc/xdp-balancer/balancer.toml"
ACTS = Counter("balancer_acts", "What the control plane did, and how it ended", ["act", "ended"])


class Counts(Collector):
    """The data plane's own counts, read when somebody asks."""

    def __init__(self, plane: Plane, health: Health) -> None:
        self._plane, self._health = plane, health

    def collect(self) -> Iterator[Metric]:
        """Metrics as they are now."""
        with self._plane.busy:
            return iter(self._collected())

    def _collected(self) -> list[Metric]:
        of = ["service", "server"]
        packets = CounterMetricFamily("balancer_packets", "Sent on to a server", labels=of)
        sizes = CounterMetricFamily("balancer_bytes", "Sent on, frames as a whole", labels=of)
        failed = CounterMetricFamily("balancer_failed_probes", "Without an answer", labels=of)
        state = GaugeMetricFamily("balancer_server_state", "0 gone, 1 drains, 2 in use", labels=of)
        nobody = CounterMetricFamily("balancer_no_server_packets", "Left: nobody", labels=of[:1])
        other = CounterMetricFamily("balancer_other_packets", "Left: of no service")
        settings = self._plane.settings
        for service in settings.services:
            states = self._plane.states(service, settings)
            nobody.add_metric([service.name], self._plane.count(service)[0])
            for server in service.servers:
                names = [service.name, server.name]
                for family, count in zip(
                    (packets, sizes), self._plane.count(service, server.packed), strict=True
                ):
                    family.add_metric(names, count)
                state.add_metric(names, states[server.address])
                failed.add_metric(names, self._health.failed[service.name, server.name])
        other.add_metric([], self._plane.count(None)[0])
        return [packets, sizes, failed, state, nobody, other]


async def run(file: str) -> None:
    """Control the data plane until SIGTERM or SIGINT."""
    settings = read(file)
    plane = Plane(settings)
    health = Health(plane)
    words: asyncio.Queue[str] = asyncio.Queue()
    signals = {"HUP": "reload", "USR1": "upgrade", "TERM": "end", "INT": "end"}
    for name, word in signals.items():
        number = getattr(signal, f"SIG{name}")
        asyncio.get_running_loop().add_signal_handler(number, words.put_nowait, word)
    await wait_for_macs(plane, settings)
    plane.apply(settings)
    REGISTRY.register(Counts(plane, health))
    address, _, port = settings.metrics.rpartition(":")
    try:
        start_http_server(int(port), address.strip("[]"))
    except OSError as error:
        raise Mistake(f"metrics cannot be at {settings.metrics}: {error.strerror}") from None
    plane.attach()
    tell_systemd("READY=1")
    print(f"balancing on {settings.interface}; metrics at {settings.metrics}", flush=True)
    watching = asyncio.create_task(watch(plane, health))
    watching.add_done_callback(lambda _: words.put_nowait("end"))  # of itself it ends by an error
    while (word := await words.get()) != "end":
        try:
            if word == "upgrade":
                upgrade(plane.pins)
            else:
                await reload(plane, file)
        except (Mistake, OSError) as error:
            said(word, error)
        else:
            said(word)
    if watching.done():
        watching.result()
    watching.cancel()


async def reload(plane: Plane, file: str) -> None:
    """Read the file again; if it is wrong, all stays as it is."""
    new, old = read(file), plane.settings
    for key in ("interface", "pins", "metrics"):
        if getattr(new, key) != getattr(old, key):
            raise Mistake(f"{key} cannot change in a reload; restart the service for that")
    await wait_for_macs(plane, new)
    plane.apply(new)


async def watch(plane: Plane, health: Health) -> None:
    """Probe the servers again and again, and tell the data plane what changed."""
    while True:
        pause = asyncio.create_task(asyncio.sleep(plane.settings.interval))
        await health.look(plane.settings)
        try:
            plane.apply(plane.settings)
        except (Mistake, OSError) as error:
            said("health", error)
        await pause


def said(act: str, error: Exception | None = None) -> None:
    """Count what was done, and say it."""
    ACTS.labels(act, "badly" if error else "well").inc()
    print(f"{act}: {sentence(error) if error else 'done'}", flush=True)


def sentence(error: Exception) -> str:
    """What happened, and what to do."""
    if isinstance(error, PermissionError):
        return f"{error}; CAP_BPF, CAP_NET_ADMIN and the folder of the pins are needed"
    if isinstance(error, FileNotFoundError) and str(error.filename).startswith("/sys/fs/bpf"):
        return f"{error}; mount -t bpf bpf /sys/fs/bpf, and make the folder of the pins there"
    if isinstance(error, OSError) and error.filename:
        # A file that another make wrote, or none did, has a number of libbpf's own.
        mend = f"; type: make -B -C {os.path.dirname(OBJECT)}" if error.filename == OBJECT else ""
        return f"{error.filename}: {error.strerror}{mend}"
    return str(error)


def tell_systemd(word: str) -> None:
    """sd_notify(3), where systemd has started this."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if where:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
            one.sendto(word.encode(), where.replace("@", "\0", 1))


def main(verb: str = "", file: str = FILE, *_: str) -> int:
    """Do what the command line says; the exit status."""
    if file.startswith("-"):  # as in run --help
        verb = ""
    try:
        if verb == "run":
            asyncio.run(run(file))
        elif verb == "check":
            read(file)
        elif verb in {"upgrade", "down"}:
            {"upgrade": upgrade, "down": down}[verb](read(file).pins)
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except (Mistake, OSError) as error:
        print(f"balancer.py {verb}: {sentence(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
