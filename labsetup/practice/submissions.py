"""Answers in files: one, or those of a whole class."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import os
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import LabError
from ..programs.sources import decoded
from . import exercise as exercises
from .exercise import Exercise
from .judge import judge
from .reply import Reply, printable

LARGEST = 2**20  # bytes of an answer
FORMULA = ("=", "+", "-", "@")  # how a spreadsheet's formula begins


@dataclass(frozen=True)
class Submission:
    """A file in a student's folder."""

    student: str
    exercise: Exercise
    path: Path


def as_dict(reply: Reply) -> dict[str, Any]:
    """What programs want to know of a reply."""
    return {
        "exercise": reply.exercise,
        "ok": reply.ok,
        "message": reply.message,
        "hint": "" if reply.ok else reply.think,  # else it is what to try next
    }


def find(folder: Path) -> list[Submission]:
    """The answers in a folder with a folder for each student.

    A file is an answer by its name: the exercise's number, or what the exercise calls it.

    Raises:
        LabError: when there is none.
    """
    if not folder.is_dir():
        raise LabError(f"there is no folder {folder}; check the path")
    names = {
        name + one.suffix: one for one in exercises.every().values() for name in (one.id, one.name)
    }
    students = [one for one in sorted(folder.iterdir()) if one.is_dir() or one.is_symlink()]
    for one in students:
        if one.is_symlink():
            _skipped(one, "it is a link, and its answers are those of another folder")
    own = [one for one in students if not one.is_symlink()]
    paths = [path for one in own for path in sorted(one.iterdir()) if path.suffix in (".c", ".py")]
    for path in paths:
        if path.name not in names:
            _skipped(path, "no exercise has that name")
    found = [Submission(p.parent.name, names[p.name], p) for p in paths if p.name in names]
    if not found:
        raise LabError(f"{folder} has no answers; they are named like {folder}/ada/2.1.c")
    return found


def _skipped(path: Path, why: str) -> None:
    print(f"skipped {printable(str(path))}: {why}", file=sys.stderr)


def text_of(path: Path, links: bool = False) -> str:
    """An answer's text.

    Args:
        path: of the file.
        links: whether the path may lead elsewhere; a student's would lead to another's answer.

    Raises:
        LabError: when it is no file with an answer.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY  # a FIFO's end would be waited for
    try:
        file = os.open(path, flags if links else flags | os.O_NOFOLLOW)
    except OSError as error:
        what = "a link" if error.errno == errno.ELOOP else f"not to be read ({error.strerror})"
        raise LabError(f"it is {what}; hand in a file") from None
    with os.fdopen(file, "rb") as opened:
        state = os.fstat(file)
        if not stat.S_ISREG(state.st_mode):
            raise LabError("it is no file; hand in one")
        if state.st_size > LARGEST:
            raise LabError(f"it has {state.st_size:,} bytes; hand in at most {LARGEST:,}")
        return decoded(opened.read(LARGEST))


def cell(text: str) -> str:
    """A text as a cell of a table, which no spreadsheet takes for a formula."""
    text = printable(text)
    return f"'{text}" if text.startswith(FORMULA) else text


def mark(submissions: Sequence[Submission], table: Path | None) -> bool:
    """Check them all, print a line each, and write a table; True when all are right.

    A row is written as soon as its answer is judged: what comes later cannot lose it.

    Args:
        submissions: the answers.
        table: where the rows go as CSV; None for nowhere.

    Raises:
        LabError: when the table cannot be written.
    """
    right = 0
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(table.open("w", newline="")) if table else io.StringIO()
            writer = csv.DictWriter(file, ["student", "exercise", "ok", "message", "hint"])
            writer.writeheader()
            for one in submissions:
                said = _judged(one)
                right += said.ok
                state = "right" if said.ok else "not yet"
                print(f"{printable(one.student):20} {said.exercise:5} {state}", flush=True)
                row = {"student": one.student, **as_dict(said)}
                writer.writerow({name: cell(str(value)) for name, value in row.items()})
                file.flush()
        except OSError as error:
            raise LabError(f"{table} cannot be written: {error.strerror}") from None
    print(f"{right} of {len(submissions)} right")
    return right == len(submissions)


def _judged(one: Submission) -> Reply:
    """What the check says; whatever an answer does to it, the next one's turn comes."""
    try:
        return judge(one.exercise, text_of(one.path), strangers=True)
    except LabError as error:
        said = str(error)
    except Exception as error:
        said = f"its check broke off: {type(error).__name__}: {error}"
    return Reply(one.exercise.id, one.exercise.title, False, (("happened", said),))
