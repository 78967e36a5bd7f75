"""Pictures of what the lab has; IPython draws them, and nothing else imports them.

A thing says in its `repr` what it is; here is what JupyterLab shows instead, by the name of its
class.  A picture is loaded when the first one of its kind is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

# Class, as a module of labsetup has it: the function that draws it, as a module of this package,
# HTML or SVG by its name.
PICTURES = {
    "network.network.Network": "network.network_svg",
    "programs.program.Program": "code.program_html",
    "programs.run.Run": "packets.run_svg",
    "observing.journey.Journey": "journeys.journey_svg",
    "balancing.connections.Connections": "connections.connections_svg",
    "plots.plots.Picture": "plots.plot_svg",
    "practice.reply.Reply": "replies.reply_html",
    "practice.hints.Hint": "replies.hint_html",
    "practice.progress.Progress": "replies.progress_html",
}


def register(shell: InteractiveShell) -> None:
    """Tell IPython who draws what."""
    assert shell.display_formatter is not None  # every shell has one
    formatter = shell.display_formatter.formatters["text/html"]
    for name, drawer in PICTURES.items():
        module, _, thing = name.rpartition(".")
        draw = _later(*drawer.split("."))
        shown = _as_image(draw) if drawer.endswith("_svg") else draw
        formatter.for_type_by_name(f"labsetup.{module}", thing, shown)


def _later(module: str, function: str) -> Callable[[Any], str]:
    def draw(thing: Any) -> str:
        return str(getattr(import_module(f"{__name__}.{module}"), function)(thing))

    return draw


def _as_image(draw: Callable[[Any], str]) -> Callable[[Any], str]:
    def show(thing: Any) -> str:
        from .svg import image

        return image(draw(thing), repr(thing))

    return show
