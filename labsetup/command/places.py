"""Where the repository is, and how a verb speaks to whoever typed it."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

REPO = Path(__file__).parent.parent.parent
NOTEBOOKS = REPO / "notebooks"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def without_progress() -> Iterator[None]:
    """Neither read nor write what the reader has done: outputs must not depend on it."""
    with tempfile.TemporaryDirectory(prefix="xdp-lab-") as folder:
        os.environ["XDG_STATE_HOME"] = folder
        yield
