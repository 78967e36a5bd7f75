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
    "practice.reply.Reply": "replies.reply_html",
    "practice.hints.Hint": "replies.hint_html",
    "practice.progress.Progress": "replies.progress_html",
}


def register(shell: InteractiveShell) -> None:
    """Tell IPython who draws what."""
    assert shell.display_formatter is not None  # every shell has one
    formatters = shell.display_formatter.formatters
    for name, drawer in PICTURES.items():
        module, _, thing = name.rpartition(".")
        kind = f"labsetup.{module}", thing
        draw = _later(*drawer.split("."))
        if drawer.endswith("_svg"):
            # As an image with words; and once more by itself, which exports take from strangers.
            formatters["image/svg+xml"].for_type_by_name(*kind, draw)
            formatters["text/html"].for_type_by_name(*kind, _as_image(draw))
        else:
            formatters["text/html"].for_type_by_name(*kind, draw)


def _later(module: str, function: str) -> Callable[[Any], str]:
    def draw(thing: Any) -> str:
        return str(getattr(import_module(f"{__name__}.{module}"), function)(thing))

    return draw


def _as_image(draw: Callable[[Any], str]) -> Callable[[Any], str]:
    def show(thing: Any) -> str:
        from .svg import image

        return image(draw(thing), repr(thing))

    return show
