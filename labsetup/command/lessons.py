"""What the authors of exercises do: make a new one, and bring the notebooks in line with all."""

from __future__ import annotations

import base64
import json
import keyword
import re
import shutil
from pathlib import Path
from typing import Any

import labsetup

from ..errors import LabError
from ..practice.answers import malformed
from ..practice.exercise import FOLDER, LESSONS, Exercise, every, read, within
from .places import write

TO_DO = "FILL IN: "  # in a template, in front of what is to be written there
MISTAKES, OTHERS = 4, 2  # honest mistakes, and other right answers, that each exercise has

Cell = dict[str, Any]


def sync(notebooks: Path, check: bool = False) -> list[str]:
    """Write the exercises' texts and starters into the notebooks, and nothing else into them.

    The README's picture is taken from the last one.

    The outputs of a cell that changes are dropped: they belong to what stood there before.

    Args:
        notebooks: the folder with them.
        check: only look; write nothing.

    Returns:
        a sentence for each difference; none if the notebooks are as the exercises say.

    Raises:
        LabError: if a lesson has no notebook, or a notebook no place for exercises.
    """
    told = []
    for lesson in LESSONS:
        mine = [exercise for exercise in every().values() if exercise.lesson == lesson]
        paths = sorted(notebooks.glob(f"{lesson:02}-*.ipynb"))
        if mine and len(paths) != 1:
            raise LabError(
                f"{notebooks} has {len(paths)} notebooks of lesson {lesson:02}, not one; give the "
                "folder that has 01-pass.ipynb"
            )
        if mine:
            told += _sync_one(paths[0], mine, check)
    return told + sync_picture(notebooks, check)


def sync_picture(notebooks: Path, check: bool = False) -> list[str]:
    """Let the README show the scoreboard that the lesson of that name ends with.

    Args:
        notebooks: the folder with them; beside it lies the rest of the repository.
        check: only look.

    Returns:
        a sentence if they differed.
    """
    picture = notebooks.parent / "labsetup" / "pages" / "static" / "scoreboard.svg"
    scoreboard = re.compile(r'alt=\\"plot: broken of.*?base64,([^"\\]+)')
    for path in sorted(notebooks.glob("[0-9]*.ipynb"), reverse=True):
        if found := scoreboard.search(path.read_text()):
            drawn = base64.b64decode(found[1])
            if not picture.exists() or picture.read_bytes() == drawn:
                return []
            if not check:
                picture.write_bytes(drawn)
            return [f"{path.name}: its scoreboard is another than the README's picture"]
    return []


def _sync_one(path: Path, mine: list[Exercise], check: bool) -> list[str]:
    notebook = json.loads(path.read_text())
    cells: list[Cell] = notebook["cells"]
    told = []
    for exercise in mine:
        place = _place(cells, exercise.id)
        if place is None:
            done = "had no {}, and has it now" if not check else "has no {}"
            what = done.format(exercise.id)
            told.append(f"{path.name} {what}; run the notebook anew")
            _insert(path, cells, exercise, mine)
            continue
        if place + 1 == len(cells) or cells[place + 1]["cell_type"] != "code":
            raise LabError(f"in {path.name} no cell of code stands below {exercise.id}; add one")
        text, code = cells[place : place + 2]
        if _source(text) != exercise.markdown:
            told.append(f"{path.name}: the text of {exercise.id} is another than in its folder")
            text["source"] = _lines(exercise.markdown)
        if _source(code) != exercise.cell:
            told.append(
                f"{path.name}: the cell of {exercise.id} is another than its starter; run the "
                "notebook anew"
            )
            code["source"] = _lines(exercise.cell)
            code["outputs"], code["execution_count"] = [], None
    numbers = {exercise.id for exercise in mine}
    for number in filter(None, map(_number, cells)):
        if number not in numbers:
            told.append(f"{path.name} has {number}, and no folder has it; take its two cells out")
    if told and not check:
        write(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    return told


def _source(cell: Cell) -> str:
    return "".join(cell["source"])


def _lines(text: str) -> list[str]:
    """A source as nbformat writes it."""
    return text.splitlines(keepends=True)


def _number(cell: Cell) -> str:
    """Of the exercise whose text this cell is; empty if it is none's."""
    heading = re.match(r"### (\d+\.\d+) ", _source(cell))
    return heading.group(1) if heading and cell["cell_type"] == "markdown" else ""


def _place(cells: list[Cell], number: str) -> int | None:
    """Where an exercise's text stands."""
    return next((at for at, cell in enumerate(cells) if _number(cell) == number), None)


def _insert(path: Path, cells: list[Cell], exercise: Exercise, mine: list[Exercise]) -> None:
    """Put an exercise in front of the next one of its lesson, or behind the last."""
    behind = mine[mine.index(exercise) + 1 :]
    places = [place for later in behind if (place := _place(cells, later.id)) is not None]
    if not places:
        last = [at + 2 for at, cell in enumerate(cells) if _number(cell)][-1:]
        begun = [at + 1 for at, cell in enumerate(cells) if _source(cell).startswith("## Now you")]
        places = last or begun
    if not places:
        raise LabError(f"{path.name} has no place for exercises; add a cell «## Now you»")
    prefix, width, highest = f"{exercise.lesson:02}-", 2, 0
    for cell in cells:  # 05-43: the lesson, and a number of its own
        digits = cell["id"].removeprefix(prefix)
        highest = max(highest, int(digits) if digits.isdecimal() else 0)
    names = [f"{prefix}{number:0{width}}" for number in (highest + 1, highest + 2)]
    text: Cell = {
        "cell_type": "markdown",
        "id": names[0],
        "metadata": {},
        "source": _lines(exercise.markdown),
    }
    code: Cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": names[1],
        "metadata": {},
        "outputs": [],
        "source": _lines(exercise.cell),
    }
    cells[places[0] : places[0]] = [text, code]


def new_exercise(number: str, name: str, python: bool = False, lessons: Path = FOLDER) -> Path:
    """Make the folder of a new exercise, with all of its files to be filled in.

    Args:
        number: of the exercise, the next one of its lesson, such as ``"5.5"``.
        name: what the answer is to be called.
        python: whether it is a Python function; else it is a program in C.
        lessons: the folder of lessons.

    Returns:
        the folder; `missing` says what is to be written there.

    Raises:
        LabError: if the number or the name cannot be had.
    """
    digits = re.fullmatch(r"([1-9]\d*)\.([1-9]\d*)", number)
    if digits is None or int(digits[1]) not in LESSONS:
        raise LabError(
            f"{number} is no number of an exercise; it is like 5.5, in lesson 1 to {len(LESSONS)}"
        )
    lesson, place = int(digits[1]), int(digits[2])
    exercises = within(lessons)
    if number in exercises:
        raise LabError(f"{number} is {exercises[number].name}; give the next number of its lesson")
    following = 1 + sum(exercise.lesson == lesson for exercise in exercises.values())
    if place != following:
        raise LabError(f"the next exercise of lesson {lesson} is {lesson}.{following}")
    _see_that_name_is_free(name, exercises)
    folders = sorted(lessons.glob(f"lesson_{lesson:02}_*"))
    if len(folders) != 1:
        raise LabError(
            f"{lessons} has no folder lesson_{lesson:02}_…; make one, named as its notebook"
        )
    folder = folders[0] / f"ex_{lesson}_{place}_{name}"
    template = FOLDER / "template" / ("python" if python else "c")
    begun = folder.with_name(f".{folder.name}.new")  # all of it is there, or nothing
    shutil.rmtree(begun, ignore_errors=True)
    try:
        shutil.copytree(template, begun, ignore=shutil.ignore_patterns("__pycache__"))
        for path in begun.iterdir():
            text = path.read_text().replace("template_name", name).replace("0.0", number)
            path.write_text(text)
        begun.rename(folder)
    except OSError as error:
        raise LabError(f"{folder} cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(begun, ignore_errors=True)
    return folder


def _see_that_name_is_free(name: str, exercises: dict[str, Exercise]) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise LabError(f"«{name}» is no name in C and Python; take letters, digits and _")
    for exercise in exercises.values():
        if exercise.name == name:
            raise LabError(f"{exercise.id} is called {name}; take another name")
    if name in dir(labsetup):
        raise LabError(f"labsetup has a {name} that every notebook imports; take another name")


def missing(folder: Path) -> list[str]:
    """What is still to be written in an exercise's folder, a sentence for each place.

    Raises:
        LabError: if the folder cannot be read as an exercise.
    """
    told = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix != ".pyc"):
        for number, line in enumerate(path.read_text().splitlines() if path.is_file() else (), 1):
            if TO_DO in line:
                what = line.partition(TO_DO)[2].rstrip(' */"),')
                told.append(str(malformed(path, number, f"fill in {what}")))
    exercise = read(folder)
    for file, wanted in (("mistakes.diff", MISTAKES), ("also_right.diff", OTHERS)):
        try:
            found = exercise.near_misses if file == "mistakes.diff" else exercise.alternatives
        except LabError as error:  # as when the solution was written, and they were not
            told.append(str(error))
            continue
        if len(found) < wanted:
            what = f"it has {len(found)} of at least {wanted} answers; write more"
            told.append(str(malformed(folder / file, 0, what)))
    if exercise.starter == exercise.solution:
        told.append(str(malformed(folder, 0, "its starter is its solution; change one of them")))
    return told
