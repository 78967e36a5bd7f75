"""What became of a packet: a row a header, a box a field, what changed in colour and bold."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import groupby

from ..observing.journey import Journey
from ..packets.fields import Field
from ..plots.style import CODE, FAINT, INK, LINE, XDP
from ..programs.run import Run


def run_html(run: Run) -> str:
    """The same as a picture: a row a header, a box a field, what changed in colour and bold."""
    size = f"{len(run.after)} bytes{'' if run.changes else ', unchanged'}"
    return _hop_html(f"{run.program}: {run.verdict}", size, run.fields, run.maps)


def journey_html(journey: Journey) -> str:
    """The same with a box a field; a hop at an XDP program has a bar in colour."""
    parts = [
        f'<div style="border-left:4px solid {XDP if hop.is_xdp else LINE};padding:4px 10px">'
        f"{_hop_html(hop.title, size, fields, {})}</div>"
        for hop, size, fields in journey.steps()
    ]
    return "".join(parts) or "<p>the packet was not seen anywhere</p>"


def _hop_html(
    title: str,
    size: str,
    fields: Sequence[Field],
    maps: Mapping[str, tuple[object, object]],
) -> str:
    rows = [f'<div><b style="font-family:{CODE}">{html.escape(title)}</b>, {size}</div>']
    for layer, members in groupby(fields, key=lambda field: field.layer):
        boxes = "".join(_field_html(field) for field in members)
        rows.append(
            '<div style="display:flex;align-items:stretch;margin-top:3px">'
            f'<div style="flex:0 0 72px;font-weight:600;padding-top:2px">{html.escape(layer)}</div>'
            f'<div style="display:flex;flex-wrap:wrap;gap:3px">{boxes}</div></div>'
        )
    rows += [
        f'<div style="margin-top:3px;font-family:{CODE}">{html.escape(entry)}: '
        f"{html.escape(str(before))} → <b>{html.escape(str(after))}</b></div>"
        for entry, (before, after) in maps.items()
    ]
    return f'<div style="color:{INK};font-size:12px;line-height:1.35">{"".join(rows)}</div>'


def _field_html(field: Field) -> str:
    value = html.escape(field.before)
    style = f"border:1px solid {LINE};border-radius:3px;padding:1px 5px"
    if field.changed:
        value = f"{value} → <b>{html.escape(field.after)}</b>"
        style += f";border-color:{XDP};background:{XDP}38"
    return (
        f'<div style="{style}"><div style="color:{FAINT};font-size:10px">{html.escape(field.name)}'
        f'</div><div style="font-family:{CODE}">{value or "&nbsp;"}</div></div>'
    )
