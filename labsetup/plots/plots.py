"""A plot that is readable on a white and on a black page, with what it shows in words."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

from ..arguments import checked

# A figure without a ground of its own, in a grey that is readable on white and on black.
_GREY = "#808080"

STYLE: dict[Any, Any] = {
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
    **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "axes.titlecolor"), _GREY),
    **dict.fromkeys(("text.color", "xtick.color", "ytick.color", "grid.color"), _GREY),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    "axes.grid": True,
    "grid.alpha": 0.25,
    "figure.figsize": (7, 3),
    "figure.dpi": 100,
    "font.size": 10,
}


class Picture:
    """A finished plot, and what it shows in words."""

    def __init__(self, png: bytes, words: str) -> None:
        self.png, self._words = png, words

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"image/png": base64.b64encode(self.png).decode(), "text/plain": self._words}


@checked
def plot(draw: Callable[[Any], None], words: str) -> Picture:
    """A plot that is readable on a white and on a black page.

    Args:
        draw: draws on the matplotlib axes that it is given.
        words: what the plot shows, for those who do not see it.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(layout="constrained")
        draw(figure.subplots())
        file = io.BytesIO()
        figure.savefig(file, format="png")
    return Picture(file.getvalue(), f"plot: {words}")
