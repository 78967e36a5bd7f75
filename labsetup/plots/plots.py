"""A plot that is readable on a white and on a black page, with what it shows in words.

matplotlib draws; its SVG is kept, for it is sharp on any screen.  Words stay words in the page's
own font, a third of the size of their outlines, and colours become those of the page's scheme.
"""

from __future__ import annotations

import contextlib
import io
import re
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from ..arguments import checked, whole
from .style import SERIES

WIDTH, HEIGHT = 640, 290  # of a plot, in pixels: it fits beside the files in a window of 1,024
MOST_PANELS = 4
MOST_TICKS = 5  # of an axis: half of the time to draw is theirs

# What matplotlib draws with, since it knows no variables, and what it stands for: the names that
# pictures/svg.py gives a page's colours.
INK, FAINT, LINE, GROUND = "#010203", "#808080", "#010204", "#010205"
_VARIABLES = {
    INK: "var(--ink)",
    FAINT: "var(--faint)",
    LINE: "var(--line)",
    GROUND: "var(--ground)",
}

STYLE: dict[Any, Any] = {
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
    **dict.fromkeys(("axes.labelcolor", "axes.titlecolor", "text.color"), INK),
    **dict.fromkeys(("xtick.labelcolor", "ytick.labelcolor"), INK),
    **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color", "grid.color"), LINE),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    "axes.prop_cycle": f"cycler('color', {SERIES})",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.35,
    "hatch.color": GROUND,
    "font.size": 13,  # a point is a pixel: SVG has 72 of them to matplotlib's inch
    "axes.titlesize": 13,
    "svg.fonttype": "none",
    "svg.hashsalt": "the same plot has the same text",
}
_ALONE = threading.RLock()  # matplotlib has one style for all threads
_PLACES: ContextVar[list[Any] | None] = ContextVar("places", default=None)


class Picture:
    """A finished plot, and what it shows in words.

    Attributes:
        drawing: the shapes, in SVG, with the page's colours by name.
        width: in pixels.
        height: likewise.
        words: what it shows.
        when_shown: called each time that a notebook shows it.
    """

    def __init__(self, drawing: str, words: str, height: float = HEIGHT) -> None:
        self.drawing, self.words = drawing, words
        self.width, self.height = WIDTH, height
        self.places: list[Any] = []
        self.when_shown: Callable[[], None] = lambda: None

    def __repr__(self) -> str:
        return f"plot: {self.words}"


@checked
def plot(
    draw: Callable[..., None], words: str, panels: int = 1, height: int | float = HEIGHT
) -> Picture:
    """A plot that is readable on a white and on a black page.

    Args:
        draw: draws on the matplotlib axes that it is given, one for each panel.
        words: what the plot shows, with its figures, for those who do not see it.
        panels: how many axes stand side by side.
        height: in pixels.
    """
    whole("the number of panels", panels, 1, MOST_PANELS)
    with _ALONE:
        return _plot(draw, words, panels, height)


@contextlib.contextmanager
def laid_out_like(picture: Picture) -> Iterator[None]:
    """Plots in this block have their axes where *picture* has them, which also saves much time."""
    token = _PLACES.set(picture.places)
    try:
        yield
    finally:
        _PLACES.reset(token)


def _plot(draw: Callable[..., None], words: str, panels: int, height: float) -> Picture:
    import matplotlib
    from matplotlib.figure import Figure

    places = _PLACES.get()
    with matplotlib.rc_context(STYLE):
        size = (WIDTH / 72, height / 72)
        figure = Figure(figsize=size, dpi=72, layout=None if places else "constrained")
        axes = figure.subplots(1, panels, squeeze=False)[0]
        for one, place in zip(axes, places or [], strict=False):
            one.set_position(place)
        for axis in (axis for one in axes for axis in (one.xaxis, one.yaxis)):
            axis.get_major_locator().set_params(nbins=MOST_TICKS)
        draw(*axes)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator")))
    picture = Picture(_tidy(file.getvalue()), words, height)
    picture.places = [one.get_position() for one in axes]
    return picture


_NEEDLESS = (
    re.compile(r"^.*?(?=<defs>)", re.DOTALL),  # the head: the page's is another
    re.compile(r"</svg>\s*$"),
    re.compile(r'font-family: [^;"]*;? ?'),
    re.compile(r' transform="rotate\(-?0 [^"]*\)"'),
    re.compile(r"<!--.*?-->"),
)
_NUMBERS = re.compile(r' (?:d|x|y|transform|points)="[^"]*"')
_LONG = re.compile(r"(\d+\.\d)\d+")
_COLOURS = re.compile("|".join(_VARIABLES))
_ID = re.compile(r' id="([^"]*)"')
_STYLE = re.compile(r"<style[^>]*>[^<]*</style>")  # one that would reach beyond the picture


def _tidy(drawn: str) -> str:
    """matplotlib's SVG without its head, its fonts, and digits that nobody sees."""
    for needless in _NEEDLESS:
        drawn = needless.sub("", drawn)
    drawn = _STYLE.sub("", drawn, count=1)
    drawn = _NUMBERS.sub(lambda found: _LONG.sub(r"\1", found[0].replace("\n", "")), drawn)
    drawn = _COLOURS.sub(lambda found: _VARIABLES[found[0]], drawn)
    drawn = _ID.sub(lambda found: found[0] if f"#{found[1]}" in drawn else "", drawn)
    drawn = re.sub(r">\s+<", "><", drawn).replace("xlink:href", "href")
    return f'<g style="stroke-linejoin:round">{drawn.strip()}</g>'
