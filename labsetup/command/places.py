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
        with contextlib.suppress(OSError):
            fresh.unlink()


def give_back() -> None:
    """See that what root has made in a user's clone is the user's."""
    steps.give_back(REPO)


def give_file_back(os_path: str, **_: object) -> None:
    """The same for a file that JupyterLab has just saved, while it still runs."""
    owner = REPO.stat()
    with contextlib.suppress(OSError):
        os.chown(os_path, owner.st_uid, owner.st_gid, follow_symlinks=False)


# An image has them beside the reader's notebooks, where they outlive the container.
_VAR = Path(os.environ.get("XDP_LAB_SETTINGS") or REPO / ".venv" / "var")


def can_keep() -> bool:
    """Whether settings can be kept in the clone: not in one that is read-only."""
    try:
        _VAR.mkdir(mode=0o700, parents=True, exist_ok=True)
        _VAR.chmod(0o700)
        tempfile.TemporaryFile(dir=_VAR).close()
    except OSError:
        return False
    return True


def keep_settings() -> None:
    """Have Jupyter's settings, history and caches apart from a user's own, for root's eyes alone.

    They are in the clone, and go with it; where it is read-only they go with this process.
    """
    var = _VAR if can_keep() else Path(tempfile.gettempdir(), "var")
    var.mkdir(mode=0o700, exist_ok=True)
    os.environ |= {
        "JUPYTER_CONFIG_DIR": f"{var}/config",
        "JUPYTER_DATA_DIR": f"{var}/data",
        "IPYTHONDIR": f"{var}/ipython",
        "MPLCONFIGDIR": f"{var}/matplotlib",
    }


@contextlib.contextmanager
def without_progress() -> Iterator[None]:
    """Neither read nor write what the reader has done: outputs must not depend on it."""
    with tempfile.TemporaryDirectory(prefix="xdp-lab-") as folder:
        os.environ["XDG_STATE_HOME"] = folder
        yield
