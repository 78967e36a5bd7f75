"""The way of one packet through a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scapy.packet import Packet

from ..arguments import checked
from ..network.interface import Interface
from ..network.network import Network
from ..packets.fields import Field, fields_of, layers_in_words
from ..packets.wire import Capture, send
from .recorded import Fate, Record, since_boot


@dataclass(frozen=True)
class Hop:
    """A station of a packet's way.

    Attributes:
        title: where, and what happened.
        is_xdp: at an XDP program, not on the wire.
        before: the frame at the station before.
        after: the frame here.
        interface: where.
        sent: it left its host here; else it came in.
        verdict: of the XDP program; empty where there is none.
    """

    title: str
    is_xdp: bool
    before: bytes
    after: bytes
    interface: Interface
    sent: bool = False
    verdict: str = ""

    @property
    def fields(self) -> list[Field]:
        """Every header field, with what it was one station before."""
        return fields_of(self.before, self.after)


class Journey:
    """The way of one packet through a network, and of what it caused there.

    Attributes:
        net: the network.
        hops: the stations, in the order of time.
    """

    def __init__(self, net: Network, hops: list[Hop]) -> None:
        self.net, self.hops = net, hops

    def steps(self) -> Iterator[tuple[Hop, str, list[Field]]]:
        """Each hop, its size in words, and its fields: at first all, then those that changed."""
        for number, hop in enumerate(self.hops):
            shown = [field for field in hop.fields if field.changed or number == 0]
            yield hop, f"{len(hop.after)} bytes{'' if shown else ', as before'}", shown

    def __repr__(self) -> str:
        lines = []
        for hop, size, fields in self.steps():
            lines += [f"{hop.title}, {size}", *layers_in_words(fields)]
        return "\n".join(lines) or "the packet was not seen anywhere"


@checked
def journey(net: Network, interface: Interface, packet: Packet | bytes) -> Journey:
    """Send one packet from an interface and follow it through the network.

    Programs that were loaded with ``capture=True`` show what they did; others do not.

    Args:
        net: the network.
        interface: where the packet leaves, such as ``net.client.eth0``.
        packet: scapy packet or bytes, as for `send`.
    """
    interfaces = net.interfaces
    places = {one: one.ours.program for one in interfaces if one.ours and one.ours.program}
    records = [Record(p).start() for p in dict.fromkeys(places.values()) if p.captures]
    with Capture(interfaces) as wire:
        send(interface, packet)
    stations: list[tuple[float, Hop]] = []
    for seen in wire:
        what = "leaves the host" if seen.sent else "reaches the stack"
        where = f"{seen.interface.host.name} {seen.interface.name}: {what}"
        frame = bytes(seen.packet)
        stations.append((seen.time, Hop(where, False, b"", frame, seen.interface, seen.sent)))
    boot = since_boot()
    for recorded in records:
        for fate in recorded.stop():
            one = _where(fate, [i for i in places if places[i] is recorded.program])
            where = f"{one.host.name} {one.name}: {recorded.program.name}, {fate.verdict}"
            hop = Hop(where, True, b"", fate.after, one, verdict=fate.verdict)
            stations.append((fate.time + boot, hop))
    hops, last = [], b""
    for _, hop in sorted(stations, key=lambda station: station[0]):
        hops.append(replace(hop, before=last or hop.after))
        last = hop.after
    return Journey(net, hops)


def _where(fate: Fate, places: Sequence[Interface]) -> Interface:
    """Which of its program's interfaces a packet came in by; numbers repeat from host to host."""
    numbered = [one for one in places if one.index == fate.interface]
    addressed = [one for one in numbered if fate.packet.dst == one.mac]
    return (addressed or numbered)[0]
