"""The few shapes that pictures are made of, as SVG, and a picture as an image with words.

As an image, a picture keeps its colours wherever the page goes: forges and exports take the style
from what stands in the page itself.  Its colours are those of the page's scheme, light or dark: an
image has that of the element around it (CSS Color Adjustment Module Level 1, 2.1).
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable

INK, FAINT, LINE, GROUND = "var(--ink)", "var(--faint)", "var(--line)", "var(--ground)"
CODE = "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace"
SMALLEST = 0.85  # of its size: then it scrolls, rather than to become too small to read

# Each is readable on its ground: 7 to 1 and more for text, WCAG 2.2, 1.4.6.
_STYLE = (
    "svg{--ink:#212121;--faint:#555;--line:#8a8a8a;--ground:#fff;font-family:system-ui,sans-serif}"
    "@media(prefers-color-scheme:dark)"
    "{svg{--ink:#e8e8e8;--faint:#b8b8b8;--line:#7d7d7d;--ground:#111}}"
)


def document(width: float, height: float, parts: Iterable[str], style: str = "") -> str:
    """A whole picture, on a ground of its own.

    Args:
        width: in pixels, as all lengths here.
        height: likewise.
        parts: the shapes.
        style: CSS beside that of the colours.
    """
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}"><style>{_STYLE}{style}</style>'
        f'<rect width="100%" height="100%" style="fill:{GROUND}"/>{"".join(parts)}</svg>'
    )


def image(picture: str, words: str) -> str:
    """A picture in HTML, with what it shows in words; too wide for its place, it scrolls."""
    width = picture.split('width="', 1)[1].split('"', 1)[0]
    data = base64.b64encode(picture.encode()).decode()
    style = f"max-width:100%;min-width:{SMALLEST * float(width):.0f}px;height:auto;margin:0"
    return (
        '<div tabindex="0" style="overflow-x:auto">'  # keys can scroll what they can reach
        f'<img alt="{html.escape(words)}" width="{width}" '
        f'style="{style}" src="data:image/svg+xml;base64,{data}"></div>'
    )


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
    style = f"fill:{GROUND};stroke:{colour};stroke-width:3"
    return f'<circle cx="{x:g}" cy="{y:g}" r="6" style="{style}"/>'


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
    style += ";fill-opacity:0.2" if fill else ""
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
    style = f"fill:{fill};font-size:{size}px;text-anchor:{anchor};white-space:pre"
    style += ";font-weight:600" if bold else ""
    style += f";font-family:{CODE}" if code else ""
    return f'<text x="{x:g}" y="{y:g}" style="{style}">{html.escape(words)}</text>'


def width_of(words: str, size: int, code: bool = False) -> float:
    """Room that is enough for words of one line in the fonts that browsers have.

    Args:
        words: of them.
        size: of the letters.
        code: whether they stand in the font of code.
    """
    return len(words) * size * (0.62 if code else 0.6)
