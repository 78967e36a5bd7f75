"""lab new, lab sync: a new exercise, and the notebooks brought in line with the exercises."""

from __future__ import annotations

import argparse

from ..errors import LabError
from .places import NOTEBOOKS, REPO, say
from .verbs import Verbs


def add(verbs: Verbs) -> None:
    """Declare the verbs."""
    added = verbs.add("new", new, "a folder for a new exercise, to be filled in")
    added.add_argument("kind", choices=["exercise"], help="what to make")
    which = "the next number of its lesson, such as 5.5"
    added.add_argument("number", metavar="NUMBER", help=which)
    added.add_argument("name", metavar="NAME", help="what the answer is to be called")
    added.add_argument("--python", action="store_true", help="answered in Python, not in C")
    added = verbs.add("sync", sync, "write the exercises' texts and starters into the notebooks")
    added.add_argument("--check", action="store_true", help="only tell whether they agree")


def new(arguments: argparse.Namespace) -> int:
    """Make the folder, and say what is to be written there."""
    from .lessons import missing, new_exercise

    folder = new_exercise(arguments.number, arguments.name, arguments.python)
    print(f"{folder.relative_to(REPO)} is there. To be filled in:")
    for sentence in missing(folder):
        print(f"  {sentence.replace(f'{REPO}/', '')}")
    lesson = f"{int(arguments.number.partition('.')[0]):02}"
    print("Then, one after the other:")
    print(f"  sudo labsetup/lab test -- tests/test_answers.py -k {arguments.number}")
    print("  labsetup/lab sync")
    print(f"  sudo labsetup/lab run {lesson} --store")
    print(f"  sudo labsetup/lab test -- notebooks/{lesson}-*.ipynb tests/test_lesson_files.py")
    return 0


def sync(arguments: argparse.Namespace) -> int:
    """Write, or only look; the status is 1 where a look finds a difference."""
    from .lessons import sync as write

    told = write(NOTEBOOKS, arguments.check)
    for sentence in told:
        say(sentence)
    if told and arguments.check:
        raise LabError("the notebooks differ from the exercises; type: labsetup/lab sync")
    say("the notebooks are written" if told else "the notebooks are as the exercises say")
    return 0
