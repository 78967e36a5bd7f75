"""The reader's own copy of the course: ``my-lab/``, which git ignores and nothing overwrites.

The notebooks of the repository have their outputs, for the web and for the tests, and would give
the answers away; and git could not update what a reader has run.  A copy has none, and stays.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import LabError
from .places import NOTEBOOKS, REPO

# Elsewhere, such as in a container's volume, it wants bpf/ beside it: cells name ../bpf.
MINE = Path(os.environ.get("XDP_LAB_MINE") or REPO / "my-lab")
RECORD = ".made-from.json"  # for each copy: what it was made from, and what was made, as hashes


class Copies:
    """A reader's folder beside the notebooks that it is made from.

    Args:
        originals: the folder of the repository's notebooks.
        folder: the reader's.
    """

    def __init__(self, originals: Path = NOTEBOOKS, folder: Path = MINE) -> None:
        self._originals, self._folder = originals, folder
        self._record = _read(folder / RECORD)

    def update(self) -> list[str]:
        """Make what is missing, and lay what is new beside what the reader has.

        Returns:
            a sentence for each lesson that has changed.

        Raises:
            LabError: when the folder cannot be written.
        """
        told = list[str]()
        try:
            self._make_folder()
            for original in self._sources():
                told += self._update(original)
            self._write_record()
        except OSError as error:
            raise LabError(
                f"your copy of the course cannot be written to {self._folder}: {error.strerror}; "
                "mend that and type the same again"
            ) from None
        return told

    def restore(self, number: str) -> str:
        """Bring a fresh copy of a lesson; the reader's stays beside it.

        Args:
            number: such as ``"03"``.

        Returns:
            a sentence on what was done.

        Raises:
            LabError: when there is no such lesson, or the folder cannot be written.
        """
        lessons = [one for one in self._sources() if one.suffix == ".ipynb"]
        found = [one for one in lessons if one.name.startswith(f"{number:0>2}-")]
        if not found:
            has = ", ".join(one.name[:2] for one in lessons)
            raise LabError(f"there is no lesson {number}; there are {has}")
        copy = self._folder / found[0].name
        try:
            self._make_folder()
            kept = ""
            if copy.exists():
                aside = self._unused(copy, "yours")
                copy.rename(aside)
                kept = f"; yours is kept as {aside.name}"
            self._make(found[0], copy)
            self._write_record()
        except OSError as error:
            raise LabError(f"{copy} cannot be written: {error.strerror}") from None
        return f"{copy.name} is fresh{kept}"

    def touched(self) -> set[str]:
        """Names of the copies that the reader has worked in."""
        found = set()
        for name, (_, made) in self._record.items():
            with contextlib.suppress(OSError):  # deleted
                if _hash((self._folder / name).read_bytes()) != made:
                    found.add(name)
        return found

    def _sources(self) -> list[Path]:
        return sorted(one for one in self._originals.iterdir() if one.suffix in (".ipynb", ".md"))

    def _update(self, original: Path) -> Iterator[str]:
        copy = self._folder / original.name
        made_from, made = self._record.get(copy.name, ("", ""))
        if not copy.exists() or _hash(copy.read_bytes()) == made:
            if made_from != _hash(original.read_bytes()) or not copy.exists():
                self._make(original, copy)
        elif made_from != _hash(original.read_bytes()):
            beside = self._unused(copy, "new")
            self._make(original, beside)
            self._record[copy.name] = _hash(original.read_bytes()), made
            yield f"{copy.name} has changed: the new one lies beside yours, as {beside.name}"

    def _make(self, original: Path, copy: Path) -> None:
        """Write a copy as a whole, for whoever typed sudo."""
        content = original.read_bytes()
        fresh = _without_outputs(content) if original.suffix == ".ipynb" else content
        part = copy.with_name(f".{copy.name}.part")
        part.write_bytes(fresh)
        _give(part)
        part.replace(copy)
        self._record[copy.name] = _hash(content), _hash(fresh)

    def _make_folder(self) -> None:
        if not self._folder.exists():
            self._folder.mkdir(mode=0o700)  # what is typed there is for its reader alone
            _give(self._folder)

    def _write_record(self) -> None:
        part = self._folder / f"{RECORD}.part"
        part.write_text(json.dumps(self._record, indent=1))
        _give(part)
        part.replace(self._folder / RECORD)

    def _unused(self, copy: Path, word: str) -> Path:
        """A name beside a copy's that nothing has, such as 03-count-icmp-new.ipynb."""
        numbers = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
        names = (copy.with_name(f"{copy.stem}-{word}{one}{copy.suffix}") for one in numbers)
        return next(name for name in names if not name.exists())


def _read(path: Path) -> dict[str, tuple[str, str]]:
    """The record; empty when it is lost, so that each copy counts as the reader's work."""
    try:
        record = json.loads(path.read_text())
        return {str(name): (str(origin), str(made)) for name, (origin, made) in record.items()}
    except (OSError, AttributeError, TypeError, ValueError):
        return {}


def _without_outputs(content: bytes) -> bytes:
    """A notebook as nobody has run it yet, and as JupyterLab would save it."""
    notebook: dict[str, Any] = json.loads(content)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    # What JupyterLab adds as soon as the kernel runs; without it a notebook that was only opened
    # counts as changed.  Source: kernel_info_reply of ipykernel.
    notebook["metadata"]["language_info"] = {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
        "version": platform.python_version(),
    }
    return (json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _give(path: Path) -> None:
    """To whoever typed sudo."""
    if os.geteuid() == 0 and "SUDO_UID" in os.environ:
        os.chown(path, int(os.environ["SUDO_UID"]), int(os.environ.get("SUDO_GID", "-1")))
