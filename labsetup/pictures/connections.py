"""Connections as bars, a server each: full where they are alive, hatched where they broke."""

from __future__ import annotations

import html

from ..balancing.connections import NOBODY, Connections
from ..plots.style import FAINT, INK, SERIES, SIGNS


def connections_html(connections: Connections) -> str:
    """The same as bars: full where connections are alive, hatched where they broke."""
    tallies = connections.tallies
    longest = max([1, *(row.all for row in tallies)])
    rows = []
    for place, row in enumerate(tallies):
        nobody = row.server == NOBODY
        colour = FAINT if nobody else SERIES[place % len(SERIES)]
        sign = "" if nobody else SIGNS[place % len(SIGNS)]
        broken = row.reset + row.timed_out
        counts = {"alive": row.alive, "reset": row.reset, "timed out": row.timed_out}
        words = [f"{count} {word}" for word, count in counts.items() if count] or ["none"]
        hatched = f"repeating-linear-gradient(135deg,transparent 0 3px,{colour} 3px 5px)"
        rows.append(
            '<div style="display:flex;align-items:center;margin:3px 0">'
            f'<div style="flex:0 0 76px;font-weight:600"><span style="color:{colour}">{sign}</span>'
            f" {html.escape(row.server)}</div>"
            '<div style="flex:0 0 420px;display:flex;height:16px">'
            f'<div style="width:{420 * row.alive / longest:.0f}px;background:{colour}"></div>'
            f'<div style="width:{420 * broken / longest:.0f}px;background:{hatched};'
            f'box-shadow:inset 0 0 0 1px {colour}"></div></div>'
            f'<div style="padding-left:8px">{", ".join(words)}</div></div>'
        )
    lost = sum(row.reset + row.timed_out for row in tallies)
    rows.append(
        f"<div>{sum(row.all for row in tallies):,} connections, "
        f"{f'<b>{lost} broken</b> (hatched)' if lost else 'none broken'}</div>"
    )
    return f'<div style="color:{INK};font-size:13px">{"".join(rows)}</div>'
