"""A plot that is readable on a white and on a black page, with what it shows in words.

matplotlib draws; its SVG is kept, for it is sharp on any screen.  Words stay words in the page's
own font, a third of the size of their outlines, and colours become those of the page's scheme.
"""

from __future__ import annotations

import contextlib
import io
import re
import threading
from collections.abc import Callable, Iterator, Sequence
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


class Frame:
    """Axes that stay from one plot to the next, which also takes half of the time.

    Attributes:
        places: of the axes in the figure, as matplotlib has them.
    """

    def __init__(self, places: Sequence[Any]) -> None:
        self.places = places
        self._figure: Any = None
        self._axes: list[Any] = []

    def axes(self, make: Callable[[], Any]) -> tuple[Any, list[Any]]:
        """The figure and its axes, without what was drawn there before."""
        if self._figure is None:
            self._figure = make()
            self._axes = list(self._figure.axes)
            for one, place in zip(self._axes, self.places, strict=False):
                one.set_position(place)
        for one in set(self._figure.axes) - set(self._axes):
            one.remove()
        for one in self._axes:
            legend = [one.get_legend()] if one.get_legend() else []
            shapes = (one.lines, one.patches, one.collections, one.texts, one.images, one.artists)
            for drawn in [*legend, *(shape for kind in shapes for shape in kind)]:
                drawn.remove()
            one.containers.clear()
            one.set_prop_cycle(None)
        return self._figure, self._axes


_FRAME: ContextVar[Frame | None] = ContextVar("frame", default=None)


class Picture:
    """A finished plot, and what it shows in words.

    Attributes:
        drawing: the shapes, in SVG, with the page's colours by name.
        width: in pixels.
        height: likewise.
        words: what it shows.
        frame: where its axes are.
        when_shown: called each time that a notebook shows it.
    """

    def __init__(self, drawing: str, words: str, height: float = HEIGHT) -> None:
        self.drawing, self.words = drawing, words
        self.width, self.height = WIDTH, height
        self.frame = Frame([])
        self.when_shown: Callable[[], None] = lambda: None

    def __repr__(self) -> str:
        return f"plot: {self.words}"


@checked
def plot(
    draw: Callable[..., object], words: str, panels: int = 1, height: int | float = HEIGHT
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
def inside(frame: Frame) -> Iterator[None]:
    """Plots in this block have their axes in this frame, and as many as it has."""
    token = _FRAME.set(frame)
    try:
        yield
    finally:
        _FRAME.reset(token)


def _plot(draw: Callable[..., object], words: str, panels: int, height: float) -> Picture:
    import matplotlib
    from matplotlib.figure import Figure

    frame = _FRAME.get()
    if frame and len(frame.places) != panels:
        frame = None

    def make() -> Figure:
        figure = Figure(dpi=72, layout=None) if frame else Figure(dpi=72, layout="constrained")
        for one in figure.subplots(1, panels, squeeze=False)[0]:
            for axis in (one.xaxis, one.yaxis):
                axis.get_major_locator().set_params(nbins=MOST_TICKS)
        return figure

    with matplotlib.rc_context(STYLE):
        figure, axes = (frame or Frame([])).axes(make)
        figure.set_size_inches(WIDTH / 72, height / 72)
        draw(*axes)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator")))
    picture = Picture(_tidy(file.getvalue()), words, height)
    picture.frame = Frame([one.get_position() for one in axes])
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
