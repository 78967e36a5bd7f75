"""Answers in a notebook: check(), and cells of C."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from IPython import get_ipython

from ..arguments import checked
from ..errors import LabError
from ..network.session import current
from ..programs.program import Program
from ..strangers.worker import Checking
from . import exercise as exercises
from .diary import Diary, say
from .exercise import Exercise
from .judge import judge
from .reply import Reply


class Refused(dict[str, str]):
    """By name of a program what became of its last cell: refused, or interrupted."""


@checked
def check(number: str, answer: Any = None) -> Reply | None:
    """Try your answer to an exercise on packets.

    Args:
        number: such as ``"2.1"``.
        answer: a program, a function, or the path of a file; without it, what the notebook has
            under the exercise's name.

    Raises:
        LabError: if there is no such exercise, or no answer to it.
    """
    if current().one(Checking).going_on:  # a file with an answer that checks itself
        return None
    exercise = exercises.find(number)
    if answer is None:
        answer = _from_notebook(exercise)
    elif isinstance(answer, (str, Path)):
        answer = Path(answer)
        if answer.is_dir():
            raise LabError(f"{answer} is a folder; name a file in it")
        if not answer.is_file():
            raise LabError(f"there is no file {answer}; check the path")
    elif not (isinstance(answer, Program) or callable(answer)):
        given = type(answer).__name__
        raise LabError(f"check() takes a program, a function or the path of a file, not {given}")
    try:
        reply = judge(exercise, answer)
    except KeyboardInterrupt:
        raise LabError(f"the check of {exercise.id} was interrupted; run it again") from None
    opened = record(exercise, reply.ok)
    return reply if reply.ok else replace(reply, hints=exercise.hints[:opened])


def _from_notebook(exercise: Exercise) -> Any:
    shell = get_ipython()
    found = shell.user_ns.get(exercise.name) if shell else None
    made = re.findall(r"^def (\w+)", shell.user_ns["In"][-1] if shell else "", re.MULTILINE)
    if made and exercise.name not in made and exercise.suffix == ".py":
        raise LabError(f"{exercise.id} looks for {exercise.name}, and this cell makes {made[-1]}")
    if why := current().one(Refused).get(exercise.name):
        mend = "run" if why == "interrupted" else "mend its cell and run"
        raise LabError(f"the last {exercise.name} was {why}; {mend} it again")
    if isinstance(found, Program) if exercise.suffix == ".c" else inspect.isfunction(found):
        return found
    if found is not None and exercise.suffix == ".py":
        raise LabError(f"{exercise.name} is no function; def {exercise.name}(…): makes one")
    how = f"%%xdp {exercise.name}" if exercise.suffix == ".c" else f"def {exercise.name}(...)"
    raise LabError(
        f"there is no {exercise.name} yet: run the cell that begins with {how}, or give a file, as "
        f'in check("{exercise.id}", "my{exercise.suffix}")'
    )


def record(exercise: Exercise, ok: bool) -> int:
    """Note a try; a starter that nobody has touched is none.

    Returns:
        how many hints were opened.
    """
    shell = get_ipython()
    cell = shell.history_manager.input_hist_raw[-1] if shell else ""
    with Diary.changing() as diary:
        if exercise.cell.strip() not in cell:
            diary.tried(exercise.id, ok)
            say(diary.notice)
        return diary.hints(exercise.id)
