"""The way of one packet through a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
    """

    title: str
    is_xdp: bool
    before: bytes
    after: bytes

    @property
    def fields(self) -> list[Field]:
        """Every header field, with what it was one station before."""
        return fields_of(self.before, self.after)


class Journey:
    """The way of one packet through a network, and of what it caused there."""

    def __init__(self, hops: list[Hop]) -> None:
        self.hops = hops

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
    stations: list[tuple[float, str, bool, bytes]] = []
    for seen in wire:
        what = "leaves the host" if seen.sent else "reaches the stack"
        where = f"{seen.interface.host.name} {seen.interface.name}: {what}"
        stations.append((seen.time, where, False, bytes(seen.packet)))
    boot = since_boot()
    for recorded in records:
        for fate in recorded.stop():
            one = _where(fate, [i for i in places if places[i] is recorded.program])
            where = f"{one.host.name} {one.name}: {recorded.program.name}, {fate.verdict}"
            stations.append((fate.time + boot, where, True, fate.after))
    stations.sort(key=lambda station: station[0])
    hops, last = [], b""
    for _, title, is_xdp, frame in stations:
        hops.append(Hop(title, is_xdp, last or frame, frame))
        last = frame
    return Journey(hops)


def _where(fate: Fate, places: Sequence[Interface]) -> Interface:
    """Which of its program's interfaces a packet came in by; numbers repeat from host to host."""
    numbered = [one for one in places if one.index == fate.interface]
    addressed = [one for one in numbered if fate.packet.dst == one.mac]
    return (addressed or numbered)[0]
