"""The course as its first page has it: lessons with their minutes, exercises, and what is next."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..command.copies import Copies
from ..command.places import NOTEBOOKS
from ..practice.diary import DONE, Diary, kept_in
from ..practice.exercise import every

_HEAD = re.compile(
    r"# (?:\d\d )?(?P<title>.+)\n\s*\*(?P<question>.+?)\*.*?"
    r"(?P<reading>\d+) minutes to read and run, (?P<everything>\d+) with the exercises"
)


@dataclass(frozen=True)
class Task:
    """An exercise: where it stands, and how far the reader is with it."""

    number: str
    title: str
    anchor: str
    state: str


@dataclass(frozen=True)
class Lesson:
    """A lesson; its minutes are those to read and run it, and those with its exercises."""

    number: str
    title: str
    question: str
    file: str
    reading: int
    everything: int
    begun: bool
    tasks: tuple[Task, ...]

    @property
    def open(self) -> tuple[Task, ...]:
        """What is not solved yet."""
        return tuple(task for task in self.tasks if task.state != DONE)


def course(copies: Copies | None = None) -> dict[str, Any]:
    """All of it, as JSON has it.

    Args:
        copies: the reader's own; None where there are none, and nobody can tell what was begun.
    """
    diary, touched = Diary(kept_in()), copies.touched() if copies else set()
    lessons = [_lesson(path, path.name in touched, diary) for path in sorted(_notebooks())]
    return {
        "lessons": [asdict(lesson) for lesson in lessons],
        "next": _next(lessons),
        "notice": diary.notice,
    }


def _notebooks() -> list[Path]:
    return list(NOTEBOOKS.glob("[0-9][0-9]-*.ipynb"))


def _lesson(path: Path, touched: bool, diary: Diary) -> Lesson:
    head = _head(path, path.stat().st_mtime_ns)
    number = int(path.name[:2])
    tasks = tuple(
        Task(one.id, one.title, one.anchor, diary.state(one.id))
        for one in every().values()
        if one.lesson == number
    )
    return Lesson(
        number=path.name[:2],
        title=head["title"],
        question=head["question"],
        file=path.name,
        reading=int(head["reading"]),
        everything=int(head["everything"]),
        begun=touched or any(task.state for task in tasks),
        tasks=tasks,
    )


@cache
def _head(path: Path, changed: int) -> dict[str, str]:
    """What a notebook's first cell says of it."""
    cells = json.loads(path.read_text())["cells"]
    found = _HEAD.search("".join(cells[0]["source"]))
    assert found, f"{path.name} begins with its title, its question and its minutes"
    return found.groupdict()


def _next(lessons: list[Lesson]) -> dict[str, str]:
    """What to open now: the exercise that is open where the reader was last, or the next lesson."""
    begun = [at for at, lesson in enumerate(lessons) if lesson.begun]
    if not begun:
        return _step("Begin with", lessons[0])
    last = begun[-1]
    if lessons[last].open:
        return _step("Go on with", lessons[last], lessons[last].open[0])
    if last + 1 < len(lessons):
        return _step("Go on with", lessons[last + 1])
    for lesson in lessons:
        if lesson.open:
            return _step("Left over:", lesson, lesson.open[0])
    return {"words": "", "file": "", "anchor": ""}


def _step(words: str, lesson: Lesson, task: Task | None = None) -> dict[str, str]:
    # Who has touched no exercise of it yet reads the lesson first.
    if task and not any(one.state for one in lesson.tasks):
        task = None
    name = f"{task.number} {task.title}" if task else f"{lesson.number} {lesson.title}"
    return {
        "words": f"{words} {name}",
        "file": lesson.file,
        "anchor": task.anchor if task else "",
    }
