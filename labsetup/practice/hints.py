"""Hints that open one by one, and after them a solution."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from ..arguments import checked
from . import exercise as exercises
from .diary import DONE, Diary, say


@dataclass(frozen=True)
class Hint:
    """A hint, or after all hints the solution."""

    title: str
    text: str
    code: str = ""

    def __repr__(self) -> str:
        code = f"\n\n{self.code.strip()}\n" if self.code else ""
        return f"{self.title}{code}\n{textwrap.fill(self.text, 96)}"


@checked
def hint(number: str) -> Hint:
    """Open the next hint to an exercise; after the last one, or once it is done, a solution.

    Args:
        number: of the exercise, such as ``"2.1"``.
    """
    exercise = exercises.find(number)
    with Diary.changing() as diary:
        say(diary.notice)
        opened = diary.hints(exercise.id)
        if diary.state(exercise.id) != DONE and opened < len(exercise.hints):
            diary.open_hint(exercise.id)
            last = opened + 1 == len(exercise.hints)
            then = f'Hint, or hint("{exercise.id}"), opens {"a solution" if last else "the next"}.'
            title = f"{exercise.id} {exercise.title}, hint {opened + 1} of {len(exercise.hints)}"
            return Hint(title, f"{exercise.hints[opened]} {then}")
    title = f"{exercise.id} {exercise.title}, a solution"
    return Hint(title, exercise.compare, exercise.solution)
