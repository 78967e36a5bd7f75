"""Live frames by the million through lb.  Source: Documentation/bpf/bpf_prog_run.rst."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from ..arguments import checked
from ..errors import LabError
from ..libbpf.runs import run_live
from ..network.network import Network
from ..packets.craft import IP, UDP, Ether, Raw, frame
from ..programs.program import Program
from .ways import PORT

HEADERS = 42  # of a template of bpf/flood.c
AT_ONCE = 200_000  # live frames in one call, so that it is over in a second
FLOWS = 64 * 64


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

    @checked
    def __init__(self, net: Network) -> None:
        """Load the programs, and let lb ask for the servers' addresses.

        Args:
            net: what balanced() gives.
        """
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
                took += part * run_live(self._program.fd, self._frame, index, part)
        return Burst(count, self._port.counters["xdp_drops"] - before, took / 1e9)
