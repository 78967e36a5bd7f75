"""lab site: the course as web pages, from the stored notebooks."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import io
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import LabError
from ..pages.sources import lay_out
from .places import REPO, say
from .verbs import Verbs

HERE = Path(sys.prefix) / "site"
MARK = ".xdp-lab-site"  # of a folder that may be replaced


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    added = verbs.add("site", site, "the course as web pages, from the stored notebooks")
    added.add_argument(
        "folder", metavar="DIR", nargs="?", type=Path, default=HERE, help=f"or else {HERE}"
    )


def site(arguments: argparse.Namespace) -> int:
    """Make the pages, and say where they are."""
    say("The pages are being made; this takes some ten seconds.")
    folder = Path(os.path.abspath(arguments.folder))  # without the .. that has no name
    pages = build(folder)
    print(f"{pages} pages are made; open {folder}/index.html in a browser.")
    return 0


def build(folder: Path) -> int:
    """Make the pages; a folder that has them already is replaced as a whole.

    Args:
        folder: where they are to be.

    Returns:
        how many there are.

    Raises:
        LabError: when the folder is somebody else's or cannot be written, or a page cannot be made.
    """
    try:
        if folder.exists() and not (folder / MARK).exists() and any(folder.iterdir()):
            raise LabError(f"{folder} has something else in it; name a folder that is new or empty")
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = folder.with_name(f".{folder.name}.part")
        with _alone(folder.parent):
            try:
                shutil.rmtree(part, ignore_errors=True)  # of one that was killed
                part.mkdir()
                pages = _make(part)
                if folder.exists():
                    folder.rename(part / "old")
                pages.rename(folder)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise LabError(
            f"the pages cannot be written to {folder}: {error.strerror}; name another folder"
        ) from None
    return sum(1 for _ in folder.rglob("*.html"))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise LabError(f"another lab makes pages in {folder}; wait for its end") from None
    finally:
        os.close(descriptor)


def _make(part: Path) -> Path:
    """The pages, in a folder of this one."""
    from sphinx.application import Sphinx
    from sphinx.errors import SphinxError

    sources, pages, warnings = part / "sources", part / "pages", io.StringIO()
    lay_out(REPO, sources)
    try:
        Sphinx(
            srcdir=sources,
            confdir=Path(__file__).parents[1] / "pages",
            outdir=pages,
            doctreedir=part / "doctrees",
            buildername="html",
            status=None,
            warning=warnings,
        ).build()
    except SphinxError as error:
        warnings.write(str(error))
    if told := re.sub(r"\x1b\[[\d;]*m", "", warnings.getvalue()).replace(f"{sources}/", ""):
        raise LabError(f"a page cannot be made, so nothing has changed; mend this: {told.strip()}")
    (pages / ".buildinfo").unlink()  # only of use to who builds again in the same place
    (pages / MARK).touch()
    if os.geteuid() == 0 and "SUDO_UID" in os.environ:
        for path in (pages, *pages.rglob("*")):
            os.chown(path, int(os.environ["SUDO_UID"]), int(os.environ.get("SUDO_GID", "-1")))
    return pages
