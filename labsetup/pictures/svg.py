"""The few shapes that pictures are made of, as SVG."""

from __future__ import annotations

import html

from ..plots.style import CODE, INK


def line(start: tuple[float, float], end: tuple[float, float]) -> str:
    """A wire."""
    (x1, y1), (x2, y2) = start, end
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" '
        f'style="stroke:{INK};stroke-width:2"/>'
    )


def ring(x: float, y: float, colour: str = "") -> str:
    """A ring of a colour; without one, a dot."""
    if not colour:
        return f'<circle cx="{x:g}" cy="{y:g}" r="4" style="fill:{INK}"/>'
    return (
        f'<circle cx="{x:g}" cy="{y:g}" r="6" '
        f'style="fill:var(--jp-layout-color0, white);stroke:{colour};stroke-width:3"/>'
    )


def rect(
    x: float,
    y: float,
    width: float,
    height: float,
    stroke: str,
    rx: float = 4,
    fill: bool = False,
    dashed: bool = False,
) -> str:
    """A box, in pixels from the left and from the top."""
    style = f"stroke:{stroke};fill:{stroke if fill else 'none'}"
    style += ";fill-opacity:0.22" if fill else ""
    style += ";stroke-dasharray:4 3" if dashed else ""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{rx:g}" '
        f'style="{style}"/>'
    )


def text(
    x: float,
    y: float,
    words: str,
    fill: str,
    size: int,
    bold: bool = False,
    code: bool = False,
    anchor: str = "middle",
) -> str:
    """Words at a place."""
    style = f"fill:{fill};font-size:{size}px;text-anchor:{anchor}"
    style += ";font-weight:600" if bold else ""
    style += f";font-family:{CODE}" if code else ""
    return f'<text x="{x:g}" y="{y:g}" style="{style}">{html.escape(words)}</text>'
