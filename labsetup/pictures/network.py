"""A network as SVG: a box a host, a line a wire, and the place of XDP at each interface.

There are no ids in it: the same network gives the same text, which a strict comparison needs.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from ..network.host import Host
from ..network.interface import Interface
from ..network.network import Network
from ..plots.style import FAINT, INK, LINE, SERIES, SIGNS, XDP
from .svg import line, rect, ring, text

# Sizes of the network picture, in pixels.
STACK, GAP, MARGIN, HEAD, SLOT, SWITCH = 128, 96, 8, 34, 126, 70


def network_html(net: Network) -> str:
    """A network as SVG: a box a host, and at each interface the place where XDP sits.

    That place lies between the wire and the stack, always, whether a program is there or not.
    """
    return _Drawing(net).svg() if net.open else f"<p>{html.escape(repr(net))}</p>"


class _Drawing:
    """A network on its way to SVG: columns of hosts first, then the wires between their ports."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.columns = _columns(net)
        column_of = {host.name: x for x, hosts in enumerate(self.columns) for host in hosts}
        self.sides = {host.name: _sides(host, column_of) for host in net}
        self.rows = {host.name: _row(host) for host in net}
        self.total = max(map(self.height_of, self.columns)) + MARGIN
        self.parts: list[str] = []
        self.ports: dict[Interface, tuple[float, float]] = {}

    def svg(self) -> str:
        """The picture, with what it shows in words as its title."""
        left: float = MARGIN
        for hosts in self.columns:
            left += self.column(hosts, left) + GAP
        width, height = left - GAP + MARGIN, self.total + 20
        for a, b in self.net.links:
            self.parts.append(line(self.ports[a], self.ports[b]))
            self.parts += [self.plug(a), self.plug(b)]
        about = text(MARGIN, self.total + 12, self.net.settings, FAINT, 11, anchor="start")
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
            f'role="img" style="width:100%;max-width:{width:g}px;'
            f'font-family:var(--jp-ui-font-family, sans-serif)">'
            f"<title>{html.escape(repr(self.net))}</title>{''.join(self.parts)}{about}</svg>"
        )

    def height(self, host: Host) -> int:
        """Of a host's box."""
        several = max(1, *map(len, self.sides[host.name]))
        return HEAD + self.rows[host.name] * (1 if host.name in self.net.switches else several)

    def height_of(self, hosts: Sequence[Host]) -> int:
        """Of a column, with the space below each of its hosts."""
        return sum(self.height(host) + MARGIN for host in hosts)

    def column(self, hosts: Sequence[Host], left: float) -> float:
        """Draw hosts one below the other; returns how wide they are."""
        is_switch = hosts[0].name in self.net.switches
        slots = 1 + any(all(self.sides[host.name]) for host in hosts)
        width = SWITCH if is_switch else STACK + (SLOT + 8) * slots
        top = (self.total - self.height_of(hosts) + MARGIN) / 2
        for host in hosts:
            (self.switch if is_switch else self.host)(host, left, top, width)
            top += self.height(host) + MARGIN
        return width

    def host(self, host: Host, left: float, top: float, width: float) -> None:
        """A host: a box with its stack in the middle, and a slot for XDP at each interface."""
        colour, height = _server_colour(self.net, host), self.height(host)
        edges = [8 + (SLOT + 8) * bool(side) for side in self.sides[host.name]]
        stack = width - sum(edges)
        middle, centre = left + edges[0] + stack / 2, top + (HEAD + height) / 2
        self.parts += [
            rect(left, top, width, height, colour or LINE, rx=8, fill=bool(colour)),
            text(left + width / 2, top + 21, _title(self.net, host), INK, 15, bold=True),
            rect(left + edges[0], top + HEAD, stack, height - HEAD - 10, LINE),
            text(middle, centre - 7, "network", FAINT, 12),
            text(middle, centre + 9, "stack", FAINT, 12),
        ]
        places = (left + 8, left), (left + width - SLOT - 8, left + width)
        for interfaces, (slot, edge) in zip(self.sides[host.name], places, strict=True):
            for row, interface in enumerate(interfaces):
                y = top + HEAD + row * self.rows[host.name]
                self.parts.append(_slot(interface, slot, y))
                self.ports[interface] = (edge, y + 13)

    def switch(self, host: Host, left: float, top: float, width: float) -> None:
        """A switch: a narrow box, its ports spread over its sides."""
        height = self.height(host)
        for interfaces, edge in zip(self.sides[host.name], (left, left + width), strict=True):
            for row, interface in enumerate(interfaces):
                self.ports[interface] = (edge, top + height * (row + 0.5) / len(interfaces))
        self.parts += [
            rect(left, top, width, height, LINE, rx=8),
            text(left + width / 2, top + height / 2 + 5, host.name, INK, 15, bold=True),
        ]

    def plug(self, interface: Interface) -> str:
        """The end of a wire; at a switch, which has no slots, a ring stands for an XDP program."""
        has_ring = interface.host.name in self.net.switches and bool(interface.xdp)
        return ring(*self.ports[interface], XDP if has_ring else "")


def _columns(net: Network) -> list[list[Host]]:
    """Hosts by their distance from the first one: the picture's columns, left to right."""
    first = next(iter(net))
    columns, seen = [[first]], {first.name}
    while columns[-1]:
        peers = [i.peer.host for host in columns[-1] for i in host.interfaces.values()]
        near = [net.hosts[peer.name] for peer in peers]
        fresh = [host for host in dict.fromkeys(near) if host.name not in seen]
        seen |= {host.name for host in fresh}
        columns.append(fresh)
    return columns[:-1]


def _server_colour(net: Network, host: Host) -> str:
    if host.name not in net.vip_hosts:
        return ""
    return SERIES[list(net.vip_hosts).index(host.name) % len(SERIES)]


def _title(net: Network, host: Host) -> str:
    """A host's name; a server's with its mark and the address that it shares."""
    if host.name not in net.vip_hosts:
        return host.name
    sign = SIGNS[list(net.vip_hosts).index(host.name) % len(SIGNS)]
    return f"{sign} {host.name}   {net.vip.partition('/')[0]}"


def _sides(host: Host, column_of: Mapping[str, int]) -> tuple[list[Interface], list[Interface]]:
    """A host's interfaces that face left, and those that face right."""
    left: list[Interface] = []
    right: list[Interface] = []
    for interface in host.interfaces.values():
        nearer = column_of[interface.peer.host.name] < column_of[host.name]
        (left if nearer else right).append(interface)
    return left, right


def _slot(interface: Interface, x: float, y: float) -> str:
    """Where XDP sits at an interface: the program there, or an empty place; the address below."""
    found = interface.xdp
    parts = [
        rect(x, y, SLOT, 26, XDP if found else LINE, rx=4, fill=bool(found), dashed=not found),
        text(
            x + SLOT / 2,
            y + 17,
            interface.program_name if found else "no XDP program",
            INK if found else FAINT,
            12,
            code=bool(found),
        ),
    ]
    parts += [
        text(x + SLOT / 2, y + 39 + 13 * row, words, INK if words[0].isdigit() else FAINT, 11)
        for row, words in enumerate(_below(interface, found))
    ]
    return "".join(parts)


def _below(interface: Interface, found: tuple[str, str, int] | None) -> list[str]:
    """What stands below an interface's slot."""
    lines = [interface.name + (f", {found[1]} mode" if found else "")]
    if found and interface.is_helper:
        lines.append("put there by the lab")
    return lines + [str(address) for address in interface.addresses]


def _row(host: Host) -> int:
    """How much height each of a host's interfaces needs."""
    return 36 + 13 * max(3, *(1 + len(_below(i, None)) for i in host.interfaces.values()), 3)
