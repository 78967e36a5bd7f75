"""IPVS, the balancer in the kernel's own IP stack, with direct routing: what it calls DSR.

It chooses a server once a connection, by its scheduler, and remembers it.  The schedulers here
choose by hash, so that a second IPVS, or the same after a restart, chooses alike.
Sources: ipvsadm(8), Documentation/networking/ipvs-sysctl.rst, linux/ip_vs.h.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from pyroute2 import IPVS, IPVSDest, IPVSService
from pyroute2.netlink.exceptions import NetlinkError

from ..arguments import checked
from ..errors import LabError
from ..network.network import Network
from .ways import PORT, Way

FALLBACK, PORTS = 0x08, 0x10  # of both schedulers: another server if one has no weight; ports too
DIRECT_ROUTING = 3  # IP_VS_CONN_F_DROUTE
SYSCTLS = {
    # Take a connection whose first packet is no SYN: it began at another IPVS, or before a restart.
    "sloppy_tcp": 1,
    # Forget connections whose server is deleted at once.  The lab deletes them to lose state.
    "expire_nodest_conn": 1,
}


class IpvsMaglev(Way):
    """IPVS with the scheduler mh: Maglev's table, see `hashing.maglev`."""

    name, scheduler = "IPVS mh", "mh"

    @checked
    def __init__(self, net: Network) -> None:
        super().__init__(net)
        self._services = [
            IPVSService(
                addr=self.vip,
                port=PORT,
                protocol=protocol,
                sched_name=self.scheduler,
                flags={"flags": FALLBACK | PORTS, "mask": 0xFFFFFFFF},
            )
            for protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP)
        ]
        self._weights: dict[str, int] = {}

    @property
    def missing(self) -> str:
        """Why it cannot be used here; empty if it can.  The question loads its modules."""
        if self._weights:
            return ""
        try:
            self._ask(lambda ipvs: [ipvs.service(do, self._services[0]) for do in ("add", "del")])
        except LabError:
            return f"this kernel has no IPVS (modules ip_vs and ip_vs_{self.scheduler})"
        return ""

    def _ask(self, work: Callable[[IPVS], object]) -> None:
        """Talk to lb's kernel, in a thread: a notebook's own runs an event loop already."""

        def talk() -> None:
            with IPVS() as ipvs:
                work(ipvs)

        try:
            with self.net.lb.inside(), ThreadPoolExecutor(1) as thread:  # made inside, it is there
                thread.submit(talk).result()
        except (NetlinkError, OSError) as error:
            raise LabError(f"{self.name} failed: {error}") from None

    def _begin(self) -> None:
        self._undo.append(self._clear)
        self._ask(lambda ipvs: [ipvs.service("add", service) for service in self._services])
        for kind in "-t", "-u":
            self.commands.append(
                f"ip netns exec lb ipvsadm -A {kind} {self.vip}:{PORT} -s {self.scheduler} "
                f"-b {self.scheduler}-fallback,{self.scheduler}-port"
            )
        with self.net.lb.inside():
            for name, value in SYSCTLS.items():
                Path("/proc/sys/net/ipv4/vs", name).write_text(f"{value}")
                self.commands.append(f"ip netns exec lb sysctl -w net.ipv4.vs.{name}={value}")

    def _use(self, *servers: str) -> None:
        """A server that leaves has weight 0: it keeps the connections that it has."""
        for name in self.net.vip_hosts:
            weight, verb = int(name in servers), "set" if name in self._weights else "add"
            if self._weights.get(name, 0) == weight:
                continue
            self._weights[name] = weight
            self._tell(verb, name)
            for kind in "-t", "-u":
                self.commands.append(
                    f"ip netns exec lb ipvsadm -{'a' if verb == 'add' else 'e'} {kind} "
                    f"{self.vip}:{PORT} -r {self._address(name)} -g -w {weight}"
                )

    def _tell(self, verb: str, server: str) -> None:
        dest = IPVSDest(
            addr=self._address(server),
            port=PORT,
            fwd_method=DIRECT_ROUTING,
            weight=self._weights[server],
        )
        self._ask(lambda ipvs: [ipvs.dest(verb, service, dest) for service in self._services])

    def lose_state(self) -> None:
        """Delete the servers and, once their connections are forgotten, add them anew."""
        for name in self._weights:
            self._tell("del", name)
        self._until_forgotten()
        for name in self._weights:
            self._tell("add", name)

    def _until_forgotten(self) -> None:
        limit = time.monotonic() + 5
        with self.net.lb.inside():
            while len(Path("/proc/net/ip_vs_conn").read_text().splitlines()) > 1:  # its heading
                if time.monotonic() > limit:
                    raise LabError("IPVS did not forget its connections; make the network anew")
                time.sleep(0.05)  # polls: the kernel forgets when it has time

    def _clear(self) -> None:
        for name in self._weights:
            self._tell("del", name)
        self._weights = {}
        with suppress(LabError):  # they were never added
            self._ask(lambda ipvs: [ipvs.service("del", service) for service in self._services])


class IpvsSource(IpvsMaglev):
    """IPVS with the scheduler sh: the hash chooses among 256 buckets, dealt out to the servers."""

    name, scheduler = "IPVS sh", "sh"
