"""Answers in files: one, or those of a whole class."""

from __future__ import annotations

import contextlib
import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import LabError
from . import exercise as exercises
from .exercise import Exercise
from .judge import judge
from .reply import Reply


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
    paths = [path for path in sorted(folder.glob("*/*")) if path.suffix in (".c", ".py")]
    for path in paths:
        if path.name not in names:
            print(f"skipped {path}: no exercise has that name", file=sys.stderr)
    found = [Submission(p.parent.name, names[p.name], p) for p in paths if p.name in names]
    if not found:
        raise LabError(f"{folder} has no answers; they are named like {folder}/ada/2.1.c")
    return found


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
                print(f"{one.student:20} {said.exercise:5} {state}", flush=True)
                writer.writerow({"student": one.student, **as_dict(said)})
                file.flush()
        except OSError as error:
            raise LabError(f"{table} cannot be written: {error.strerror}") from None
    print(f"{right} of {len(submissions)} right")
    return right == len(submissions)


def _judged(one: Submission) -> Reply:
    """What the check says; whatever an answer does to it, the next one's turn comes."""
    try:
        return judge(one.exercise, one.path)
    except Exception as error:
        said = f"its check broke off: {type(error).__name__}: {error}"
        return Reply(one.exercise.id, one.exercise.title, False, (("happened", said),))
