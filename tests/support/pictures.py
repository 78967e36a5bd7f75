"""What JupyterLab would show of a thing."""

from __future__ import annotations

from types import SimpleNamespace

from IPython.core.formatters import DisplayFormatter

from labsetup import pictures


def drawn(thing: object) -> dict[str, str]:
    """By MIME type, as the lab's kernel sends it."""
    formatter = DisplayFormatter()
    pictures.register(SimpleNamespace(display_formatter=formatter))
    bundle, _ = formatter.format(thing)
    return bundle
