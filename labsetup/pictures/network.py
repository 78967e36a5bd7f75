"""A network as SVG: a box a host, a line a wire, and the place of XDP at each interface.

There are no ids in it: the same network gives the same text, which a strict comparison needs.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from ..network.host import Host
from ..network.interface import Interface
from ..network.network import Network
from ..plots.style import CODE, FAINT, INK, LINE, SERIES, SIGNS, XDP

# Sizes of the network picture, in pixels.
STACK, GAP, MARGIN, HEAD, SLOT, SWITCH = 128, 96, 8, 34, 126, 70


def _columns(net: Network) -> list[list[Host]]:
    """Hosts by their distance from the first one: the picture's columns, left to right."""
    first = next(iter(net.hosts.values()))
    columns, seen = [[first]], {first.name}
    while columns[-1]:
        peers = [i.peer.host for host in columns[-1] for i in host.interfaces.values()]
        near = [net.hosts[peer.name] for peer in peers]
        fresh = [host for host in dict.fromkeys(near) if host.name not in seen]
        seen |= {host.name for host in fresh}
        columns.append(fresh)
    return columns[:-1]


def network_html(net: Network) -> str:
    """A network as SVG: a box a host, and at each interface the place where XDP sits.

    That place lies between the wire and the stack, always, whether a program is there or not.
    """
    columns = _columns(net)
    column_of = {host.name: x for x, hosts in enumerate(columns) for host in hosts}
    sides_of = {host.name: _sides(host, column_of) for host in net}
    rows = {host.name: _row(host) for host in net}
    heights = {
        name: HEAD + rows[name] * (1 if name in net.switches else max(1, *map(len, sides)))
        for name, sides in sides_of.items()
    }
    total = max(sum(heights[h.name] + MARGIN for h in hosts) for hosts in columns) + MARGIN
    parts: list[str] = []
    ports: dict[Interface, tuple[float, float]] = {}
    left: float = MARGIN
    for hosts in columns:
        slots = 1 + any(all(sides_of[h.name]) for h in hosts)
        is_switch = hosts[0].name in net.switches
        width = SWITCH if is_switch else STACK + (SLOT + 8) * slots
        top = (total - sum(heights[h.name] + MARGIN for h in hosts) + MARGIN) / 2
        for host in hosts:
            height, sides = heights[host.name], sides_of[host.name]
            if is_switch:
                parts += _switch(host, sides, left, top, width, height, ports)
                continue
            colour = _server_colour(net, host)
            parts += [
                _rect(left, top, width, height, colour or LINE, rx=8, fill=bool(colour)),
                _text(left + width / 2, top + 21, _title(net, host), INK, 15, bold=True),
            ]
            edges = [8 + (SLOT + 8) * bool(side) for side in sides]
            middle = left + edges[0] + (width - sum(edges)) / 2
            parts += [
                _rect(left + edges[0], top + HEAD, width - sum(edges), height - HEAD - 10, LINE),
                _text(middle, top + (HEAD + height) / 2 - 7, "network", FAINT, 12),
                _text(middle, top + (HEAD + height) / 2 + 9, "stack", FAINT, 12),
            ]
            for interfaces, slot, edge in zip(
                sides, (left + 8, left + width - SLOT - 8), (left, left + width), strict=True
            ):
                for row, interface in enumerate(interfaces):
                    y = top + HEAD + row * rows[host.name]
                    parts.append(_slot(interface, slot, y))
                    ports[interface] = (edge, y + 13)
            top += height + MARGIN
        left += width + GAP
    whole = left - GAP + MARGIN
    for a, b in net.links:
        (x1, y1), (x2, y2) = ports[a], ports[b]
        parts.append(
            f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" '
            f'style="stroke:{INK};stroke-width:2"/>'
        )
        parts += [_plug(net, end, *ports[end]) for end in (a, b)]
    parts.append(_text(MARGIN, total + 12, net.settings, FAINT, 11, anchor="start"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole:g} {total + 20:g}" '
        f'role="img" style="width:100%;max-width:{whole:g}px;'
        f'font-family:var(--jp-ui-font-family, sans-serif)">'
        f"<title>{html.escape(repr(net))}</title>{''.join(parts)}</svg>"
    )


def _plug(net: Network, interface: Interface, x: float, y: float) -> str:
    """The end of a wire; at a switch, which has no slots, a ring stands for an XDP program."""
    if interface.host.name in net.switches and interface.xdp:
        return (
            f'<circle cx="{x:g}" cy="{y:g}" r="6" '
            f'style="fill:var(--jp-layout-color0, white);stroke:{XDP};stroke-width:3"/>'
        )
    return f'<circle cx="{x:g}" cy="{y:g}" r="4" style="fill:{INK}"/>'


def _switch(
    host: Host,
    sides: Sequence[Sequence[Interface]],
    left: float,
    top: float,
    width: float,
    height: float,
    ports: dict[Interface, tuple[float, float]],
) -> list[str]:
    """A switch: a narrow box; its ports are spread over its sides and noted in *ports*."""
    for interfaces, edge in zip(sides, (left, left + width), strict=True):
        for row, interface in enumerate(interfaces):
            ports[interface] = (edge, top + height * (row + 0.5) / len(interfaces))
    return [
        _rect(left, top, width, height, LINE, rx=8),
        _text(left + width / 2, top + height / 2 + 5, host.name, INK, 15, bold=True),
    ]


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
        _rect(x, y, SLOT, 26, XDP if found else LINE, rx=4, fill=bool(found), dashed=not found),
        _text(
            x + SLOT / 2,
            y + 17,
            interface.program_name if found else "no XDP program",
            INK if found else FAINT,
            12,
            code=bool(found),
        ),
    ]
    parts += [
        _text(x + SLOT / 2, y + 39 + 13 * row, text, INK if text[0].isdigit() else FAINT, 11)
        for row, text in enumerate(_below(interface, found))
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


def _rect(
    x: float,
    y: float,
    width: float,
    height: float,
    stroke: str,
    rx: float = 4,
    fill: bool = False,
    dashed: bool = False,
) -> str:
    style = f"stroke:{stroke};fill:{stroke if fill else 'none'}"
    style += ";fill-opacity:0.22" if fill else ""
    style += ";stroke-dasharray:4 3" if dashed else ""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{rx:g}" '
        f'style="{style}"/>'
    )


def _text(
    x: float,
    y: float,
    text: str,
    fill: str,
    size: int,
    bold: bool = False,
    code: bool = False,
    anchor: str = "middle",
) -> str:
    style = f"fill:{fill};font-size:{size}px;text-anchor:{anchor}"
    style += ";font-weight:600" if bold else ""
    style += f";font-family:{CODE}" if code else ""
    return f'<text x="{x:g}" y="{y:g}" style="{style}">{html.escape(text)}</text>'
