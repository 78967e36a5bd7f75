"""Plots, as the page's other pictures are: on a ground of their own, in the page's scheme."""

from __future__ import annotations

from ..plots.plots import Picture
from .svg import document


def plot_svg(picture: Picture) -> str:
    """The plot, whole; whoever made it is told that it is shown."""
    picture.when_shown()
    return document(picture.width, picture.height, [picture.drawing])
