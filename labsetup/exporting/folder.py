"""An exported program as a folder: its C, a Makefile, and a README with what loads it."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import LabError
from .flatten import Flat, flattened
from .kept import variables
from .trial import Built, built
from .words import makefile, readme

LONGEST = 1 << 20  # characters of C that are taken


@dataclass(frozen=True, repr=False)
class Exported:
    """What was written.

    Attributes:
        folder: where.
        files: their names.
        name: of the C, without .bpf.c.
        said: what clang said of it.
        ok: whether it compiles.
    """

    folder: Path
    files: tuple[str, ...]
    name: str
    said: str
    ok: bool

    def __repr__(self) -> str:
        wrote = f"{', '.join(self.files)} in {self.folder}"
        if not self.ok:
            return f"{wrote}; clang alone does not compile it:\n{self.said}"
        warned = f"\nclang warns:\n{self.said}" if self.said else ""
        return f"{wrote}; clang alone compiles it.{warned}\nnext: make -C {_quoted(self.folder)}"


def _quoted(path: Path) -> str:
    text = str(path)
    return text if re.fullmatch(r"[\w./+,@%=:-]+", text) else f"'{text}'"


def export(name: str, source: str, folder: Path, origin: str = "") -> Exported:
    """Write a program as a folder that builds without the lab.

    Args:
        name: what it is called.
        source: its C, BCC's or libbpf's.
        folder: made if it is not there.
        origin: where its C came from, in words.

    Raises:
        Untranslatable: naming the line that has no counterpart.
        LabError: where a file is there already and says something else, or nothing can be written.
    """
    if len(source) > LONGEST:
        raise LabError(f"{name} has more than {LONGEST:,} characters; export takes no more")
    flat = flattened(source, name)
    called = _called(name, flat)
    made, trouble = Built(b"", ""), None
    try:
        made = built(flat.text, f"{called}.bpf.c")
    except LabError as error:  # it is written all the same
        trouble = error
    told = origin or f"the C of {name}"
    files = {
        f"{called}.bpf.c": flat.text,
        "Makefile": makefile(called, flat),
        "README.md": readme(called, flat, told, variables(called, made.code)),
    }
    _write(folder, files)
    if trouble:
        raise trouble
    return Exported(folder, tuple(files), called, made.said, bool(made.code))


def _called(name: str, flat: Flat) -> str:
    """A name that files, make and shells take: the program's, or else its function's."""
    return name if re.fullmatch(r"[A-Za-z0-9_][\w.-]*", name, re.ASCII) else flat.entries[0]


def _write(folder: Path, files: dict[str, str]) -> None:
    """Write all of them, or none."""
    try:
        for name, text in files.items():
            path = folder / name
            if os.path.lexists(path) and not _says(path, text):
                raise LabError(
                    f"{path} is there already and says something else; nothing was written: "
                    "name another folder, or move it away"
                )
        owner = _owner(folder)
        with contextlib.ExitStack() as undo:  # a part would stand in the next one's way
            for one in reversed([folder, *folder.parents]):
                if not one.exists():
                    one.mkdir()
                    undo.callback(one.rmdir)
                    _give(one, owner)
            for name, text in files.items():
                if not os.path.lexists(folder / name):
                    with open(folder / name, "x", encoding="utf-8") as file:
                        undo.callback((folder / name).unlink)
                        file.write(text)
                    _give(folder / name, owner)
            undo.pop_all()
    except (OSError, ValueError) as error:  # the latter for a name that no folder can have
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise LabError(f"{folder} cannot be written: {why}; name another folder") from None


def _says(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def _owner(folder: Path) -> os.stat_result:
    """Of the folder, or of the first above it that is there."""
    return next(one for one in [folder, *folder.absolute().parents] if one.exists()).stat()


def _give(path: Path, owner: os.stat_result) -> None:
    """See that what root writes in somebody's folder is theirs."""
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
