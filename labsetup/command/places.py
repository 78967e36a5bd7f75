"""Where the repository is, and how a verb speaks to whoever typed it."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import LabError
from ..installing import steps

REPO = Path(__file__).parent.parent.parent
NOTEBOOKS = REPO / "notebooks"


def say(text: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be closed
        print(text, file=sys.stderr, flush=True)


def write(path: Path, text: str) -> None:
    """Write a file that is the old one or the new one at any moment, with the same owner.

    Raises:
        LabError: where nothing can be written.
    """
    before = path.stat()
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.write_text(text)
        os.chmod(fresh, before.st_mode)
        if os.geteuid() == 0:
            os.chown(fresh, before.st_uid, before.st_gid)
        fresh.replace(path)
    except OSError as error:
        raise LabError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        fresh.unlink(missing_ok=True)


def give_back() -> None:
    """See that what root has made in a user's clone is the user's."""
    steps.give_back(REPO)


@contextlib.contextmanager
def without_progress() -> Iterator[None]:
    """Neither read nor write what the reader has done: outputs must not depend on it."""
    with tempfile.TemporaryDirectory(prefix="xdp-lab-") as folder:
        os.environ["XDG_STATE_HOME"] = folder
        yield
