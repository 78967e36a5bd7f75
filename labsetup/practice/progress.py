"""How far one is: a row a lesson, a sign an exercise."""

from __future__ import annotations

from ..arguments import checked
from ..errors import LabError
from . import exercise as exercises
from .diary import DONE, TRIED, Diary, say
from .exercise import LESSONS

SIGNS = {DONE: "●", TRIED: "◐", "": "○"}


class Progress:
    """How far one is: a row a lesson, a sign an exercise.

    Attributes:
        rows: the numbers of the exercises of each lesson.
    """

    def __init__(self, states: dict[str, str]) -> None:
        self._states = states
        self.rows: dict[int, list[str]] = {}
        for number in exercises.every():
            self.rows.setdefault(int(number.partition(".")[0]), []).append(number)

    legend = f"{SIGNS[DONE]} done   {SIGNS[TRIED]} tried   {SIGNS['']} not yet"

    def sign(self, number: str) -> str:
        """What stands before an exercise's number."""
        return SIGNS[self._states.get(number, "")]

    def __repr__(self) -> str:
        width = max(map(len, LESSONS.values()))
        rows = [
            f"{lesson:02} {LESSONS[lesson]:{width}}  "
            + "  ".join(f"{self.sign(number)} {number}" for number in numbers)
            for lesson, numbers in self.rows.items()
        ]
        return "\n".join(
            [*rows, "", f"{SIGNS[DONE]} done  {SIGNS[TRIED]} tried  {SIGNS['']} not yet"]
        )


@checked
def progress(*unknown: object, clear: bool = False) -> Progress:
    """How far you are in the exercises of all notebooks.

    Args:
        unknown: nothing stands here, lest a slip of the hand forgets it all.
        clear: forget it all, and begin anew.

    Raises:
        LabError: when something does stand there.
    """
    if unknown:
        raise LabError(
            f"progress() shows all lessons and takes no {unknown[0]!r}; to forget what you have "
            "done, type progress(clear=True)"
        )
    with Diary.changing() as kept:
        if clear:
            kept.clear()
        say(kept.notice)
        return Progress({number: kept.state(number) for number in exercises.every()})
