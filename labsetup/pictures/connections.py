"""Connections as bars, a server each: full where they are alive, hatched where they broke."""

from __future__ import annotations

from ..balancing.connections import NOBODY, Connections
from ..plots.style import SERIES, SIGNS
from .svg import FAINT, INK, document, text

WIDTH, NAME, BAR, ROW = 700, 76, 420, 24  # of a picture, a server's name, the longest bar; a row


def connections_svg(connections: Connections) -> str:
    """A row a server, and the sum below."""
    tallies = connections.tallies
    longest = max([1, *(row.all for row in tallies)])
    parts = list[str]()
    for place, row in enumerate(tallies):
        nobody, y = row.server == NOBODY, place * ROW
        colour = FAINT if nobody else SERIES[place % len(SERIES)]
        sign = "" if nobody else SIGNS[place % len(SIGNS)]
        broken = row.reset + row.timed_out
        counts = {"alive": row.alive, "reset": row.reset, "timed out": row.timed_out}
        words = [f"{count} {word}" for word, count in counts.items() if count] or ["none"]
        alive, lost = (BAR * count / longest for count in (row.alive, broken))
        parts += [
            text(2, y + 17, sign, colour, 13, anchor="start"),
            text(20, y + 17, row.server, INK, 13, bold=True, anchor="start"),
            f'<rect x="{NAME}" y="{y + 4}" width="{alive:.0f}" height="16" style="fill:{colour}"/>',
            *(_hatched(NAME + alive, y + 4, lost, colour, place) if broken else ()),
            text(NAME + BAR + 10, y + 17, ", ".join(words), INK, 13, anchor="start"),
        ]
    y = len(tallies) * ROW
    lost = sum(row.reset + row.timed_out for row in tallies)
    total = f"{sum(row.all for row in tallies):,} connections, "
    total += f"{lost} broken (hatched)" if lost else "none broken"
    parts.append(text(2, y + 18, total, INK, 13, bold=bool(lost), anchor="start"))
    return document(WIDTH, y + 26, parts)


def _hatched(x: float, y: float, width: float, colour: str, number: int) -> list[str]:
    """A bar with slanting lines in it; *number* keeps its pattern from those of other bars."""
    pattern = f"hatch{number}"
    return [
        f'<pattern id="{pattern}" width="6" height="6" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><rect width="2.5" height="6" style="fill:{colour}"/>'
        "</pattern>",
        f'<rect x="{x:.0f}" y="{y + 0.5:g}" width="{max(2.0, width):.0f}" height="15" '
        f'style="fill:url(#{pattern});stroke:{colour}"/>',
    ]
