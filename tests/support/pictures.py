"""What JupyterLab would show of a thing."""

from __future__ import annotations

import base64
import re
from types import SimpleNamespace
from typing import Any

from IPython.core.formatters import DisplayFormatter

from labsetup import pictures


def drawn(thing: object) -> dict[str, str]:
    """By MIME type, as the lab's kernel sends it."""
    formatter = DisplayFormatter()
    shell: Any = SimpleNamespace(display_formatter=formatter)
    pictures.register(shell)
    bundle: dict[str, str] = formatter.format(thing)[0]
    return bundle


def svg(bundle: dict[str, str]) -> str:
    """The drawing in an image."""
    (data,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', bundle["text/html"])
    return base64.b64decode(data).decode()
