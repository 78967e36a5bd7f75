"""A packet's way: a dot that goes through the drawing of the network, and each hop below it.

The dot moves by CSS alone, which browsers run in an image as well; who asks the browser for less
motion sees the numbers of the hops at their places.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..network.interface import Interface
from ..observing.journey import Hop, Journey
from ..plots.style import XDP
from .network import Drawing
from .packets import GAP, WIDTH, HopDrawing
from .svg import GROUND, INK, LINE, document, text

Point = tuple[float, float]

MOVE, REST = 0.7, 0.9  # seconds from a place to the next one, and at a hop
STOPPED = {"XDP_DROP", "XDP_ABORTED"}


def journey_svg(journey: Journey) -> str:
    """The network with the packet under way, and its hops one below the other."""
    if not journey.hops:
        words = "the packet was not seen anywhere"
        return document(WIDTH, 30, [text(8, 20, words, INK, 13, anchor="start")])
    drawing = Drawing(journey.net)
    way = [*_way(drawing, journey.hops)]
    parts = [*drawing.parts, *_numbers(drawing, journey.hops), *_dot(journey.hops)]
    top: float = drawing.height + GAP
    for number, (hop, size, fields) in enumerate(journey.steps(), 1):
        drawn = HopDrawing(f"{number}  {hop.title}", size, fields, {}, left=14, top=top)
        colour = XDP if hop.is_xdp else LINE
        bar = f'x="2" y="{top:g}" width="4" height="{drawn.height - 6:g}" style="fill:{colour}"'
        parts += [f"<rect {bar}/>", *drawn.parts]
        top += drawn.height + GAP
    return document(max(WIDTH, drawing.width), top, parts, _motion(way))


def _place(drawing: Drawing, hop: Hop) -> Point:
    """Where a hop is told: the stack's side of its interface, or the place of XDP."""
    if hop.is_xdp:
        return drawing.slots[hop.interface]
    return drawing.stacks.get(hop.interface.host.name, drawing.ports[hop.interface])


def _way(drawing: Drawing, hops: list[Hop]) -> Iterator[tuple[Point, bool]]:
    """The points that a packet passes, and whether it rests there."""
    before: Hop | None = None
    for hop in hops:
        if before is not None:
            out = before.sent or before.verdict in ("XDP_TX", "XDP_REDIRECT")
            if out and before.interface is not hop.interface:
                for interface in _wire(before.interface, hop.interface):
                    yield drawing.ports[interface], False
            elif out:
                yield drawing.ports[hop.interface], False
        yield _place(drawing, hop), True
        before = hop
    if before is not None and before.sent:
        yield drawing.ports[before.interface], False


def _wire(start: Interface, end: Interface) -> list[Interface]:
    """The ends of wires between two interfaces, with those of a switch between them."""
    ends = [start]
    if start.peer is not end:
        ends += [start.peer, end.peer]
    return [*ends, end]


def _numbers(drawing: Drawing, hops: list[Hop]) -> Iterator[str]:
    """Each hop's number at its place: above XDP's, in a stack below its name, and then above."""
    at = dict[Point, list[int]]()
    for number, hop in enumerate(hops, 1):
        at.setdefault(_place(drawing, hop), []).append(number)
    slots = {*drawing.slots.values()}
    for (x, y), numbers in at.items():
        rows = [numbers[:7]] if (x, y) in slots else [numbers[:4], numbers[4:8]]
        for row, shown in enumerate(rows):
            for place, number in enumerate(shown):
                cx = x + 17 * (place - (len(shown) - 1) / 2)
                cy = y - 16 if (x, y) in slots else y + (23 if row == 0 else -23)
                colour = XDP if hops[number - 1].is_xdp else INK
                style = f"fill:{GROUND};stroke:{colour}"
                yield f'<circle cx="{cx:g}" cy="{cy:g}" r="7.5" style="{style}"/>'
                yield text(cx, cy + 4, f"{number}", INK, 11, bold=True)


def _dot(hops: list[Hop]) -> list[str]:
    """The packet; one that ends at an XDP program is crossed out there."""
    cross = ""
    if hops[-1].verdict in STOPPED:
        cross = f'<path class="lost" d="M-5 -5L5 5M-5 5L5 -5" style="stroke:{GROUND}"/>'
    return [f'<g class="packet"><circle r="8" style="fill:{XDP}"/>{cross}</g>']


def _motion(way: list[tuple[Point, bool]]) -> str:
    """The keyframes of the dot, which begins anew at the end."""
    times, now = list[tuple[float, Point]](), 0.0
    for point, rests in way:
        times.append((now, point))
        now += REST if rests else 0
        if rests:
            times.append((now, point))
        now += MOVE
    total = now + REST
    frames = "".join(
        f"{100 * at / total:.1f}%{{transform:translate({x:g}px,{y:g}px)}}" for at, (x, y) in times
    )
    (x, y), last = way[-1][0], 100 * (times[-1][0] - REST) / total
    return (
        f"@keyframes go{{{frames}100%{{transform:translate({x:g}px,{y:g}px)}}}}"
        f"@keyframes end{{0%,{last:.1f}%{{opacity:0}}{last + 0.1:.1f}%,100%{{opacity:1}}}}"
        f".packet{{animation:go {total:.1f}s linear infinite}}"
        f".lost{{stroke-width:2.5;animation:end {total:.1f}s infinite}}"
        "@media(prefers-reduced-motion:reduce){.packet{display:none}}"
    )
