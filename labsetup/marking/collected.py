"""What a class handed in: the answers, and what looks like one and is not taken."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import LabError
from ..practice import exercise as exercises
from ..practice.exercise import Exercise

ANSWERS = (".c", ".py")
OTHERS = {".ipynb": "it is a notebook; hand in the answer alone, in a file"} | dict.fromkeys(
    (".zip", ".tar", ".gz", ".tgz", ".xz", ".bz2", ".7z", ".rar"), "it is an archive; unpack it"
)
MADE = {"__pycache__", "__MACOSX", ".git", ".ipynb_checkpoints"}  # by programs, not by students
MOST = 20  # rows for what one student handed in and what is not marked


@dataclass(frozen=True)
class Submission:
    """An answer in a student's folder.

    Attributes:
        student: the folder's name.
        exercise: what it answers.
        path: of the file.
        remark: what its teacher should know of it.
    """

    student: str
    exercise: Exercise
    path: Path
    remark: str = ""

    @property
    def file(self) -> str:
        """Its path from the student's folder on."""
        return self.path.name


@dataclass(frozen=True)
class Unmarked:
    """What a teacher would miss in the table, and is not marked.

    Attributes:
        student: the folder's name; empty where it is in none.
        path: of the file, or of the student's folder.
        why: it is not marked, and what mends that.
        exercise: the number that it seems to answer; empty where its name tells none.
        file: its path from the student's folder on; empty for that folder itself.
    """

    student: str
    path: Path
    why: str
    exercise: str = ""
    file: str = ""


Entry = Submission | Unmarked


def exercises_as(is_json: bool) -> str:
    """All exercises, with what an answer's file may be called: a line each, or a JSON document."""
    listed = [(one.id, one.name + one.suffix, one.title) for one in exercises.every().values()]
    if is_json:
        keys = ("exercise", "file", "title")
        return json.dumps([dict(zip(keys, one, strict=True)) for one in listed], indent=2)
    return "\n".join(f"{number:5} {file:18} {title}" for number, file, title in listed)


def find(folder: Path) -> list[Entry]:
    """What is in a folder with a folder for each student, each of whom is in the list.

    A file is an answer by its name: the exercise's number, or what the exercise calls it.

    Raises:
        LabError: when it is no folder that can be read.
    """
    names = {
        name + one.suffix: one for one in exercises.every().values() for name in (one.id, one.name)
    }
    try:
        entries = sorted(one for one in folder.iterdir() if one.name not in MADE)
    except FileNotFoundError:
        raise LabError(f"there is no folder {folder}; check the path") from None
    except NotADirectoryError:
        raise LabError(f"{folder} is a file; --all takes a folder of students' folders") from None
    except OSError as error:
        raise LabError(f"{folder} cannot be read: {error.strerror}") from None
    found, beside = list[Entry](), list[Entry]()
    for one in entries:
        # One that leads nowhere may have led to a student's folder.
        nowhere = not (one.exists() or _looks_like_one(one.name, names))
        if one.is_symlink() and (one.is_dir() or nowhere):
            why = "it is a link, and its answers are those of another folder; copy them here"
            found.append(Unmarked(one.name, one, why))
        elif one.is_dir():
            found += _of_student(one, names)
        elif _looks_like_one(one.name, names):
            why = _why(one.name, names) or "it is in no student's folder; move it into one"
            beside.append(Unmarked("", one, why, _guess(one.name, names), one.name))
    return [*found, *_some(beside)]


def _of_student(folder: Path, names: Mapping[str, Exercise]) -> Iterator[Entry]:
    answers, others, seen = list[Submission](), list[Entry](), list[str]()
    for path, broken in _below(folder):
        name, why = path.name, broken
        if not why and path.parent == folder and name in names:
            answers.append(Submission(folder.name, names[name], path))
            continue
        if not why and _looks_like_one(name, names):
            deeper = f"it is in a folder of its own; move it to {folder.name}/{name}"
            why = _why(name, names) or deeper
        if why:
            file = "/".join(path.relative_to(folder).parts)
            others.append(Unmarked(folder.name, path, why, _guess(name, names), file))
        seen.append(name)
    for one in answers:
        same = [other.path.name for other in answers if other.exercise == one.exercise]
        remark = f"one of {len(same)} answers to {one.exercise.id}: {', '.join(same)}"
        yield replace(one, remark=remark) if len(same) > 1 else one
    yield from _some(others)
    if not answers and not others:
        more = ", …" if len(seen) > 3 else ""
        why = f"it has no answer, only {', '.join(seen[:3])}{more}" if seen else "it is empty"
        yield Unmarked(folder.name, folder, why)


def _below(folder: Path) -> Iterator[tuple[Path, str]]:
    """Each file in a folder and deeper, and what cannot be looked into, with the reason."""
    broken = list[OSError]()
    for where, folders, files in os.walk(folder, onerror=broken.append):
        at = Path(where)
        folders[:] = sorted(one for one in folders if one not in MADE)
        for name in sorted([*files, *folders]):
            # What has an answer's name and is none gets its own sentence when it is read.
            if name in files or (at == folder and name.endswith(ANSWERS)):
                yield at / name, ""
            elif (at / name).is_symlink():
                yield at / name, "it is a link to a folder; copy its answers here"
    for error in broken:
        yield Path(error.filename), f"it cannot be read: {error.strerror}"


def _some(unmarked: list[Entry]) -> list[Entry]:
    """Not all of them where a student handed in the source of a kernel."""
    if len(unmarked) <= MOST:
        return unmarked
    last, left = unmarked[MOST - 1], len(unmarked) - MOST + 1
    folder = last.path.parent
    told = Unmarked(last.student, folder, f"{left:,} more files in there are not marked either")
    return [*unmarked[: MOST - 1], told]


def _looks_like_one(name: str, names: Mapping[str, Exercise]) -> bool:
    suffixes = {one.casefold().strip() for one in Path(name).suffixes}
    return not suffixes.isdisjoint({*ANSWERS, *OTHERS}) or bool(_guess(name, names))


def _guess(name: str, names: Mapping[str, Exercise]) -> str:
    """The number of the exercise with which a name begins; empty where it begins with none."""
    begun = re.match(r"\W*(\d+\.\d+(?!\d)|[^\W\d]\w*)", name.casefold())
    stem = begun[1] if begun else ""
    fits = [one.id for one in names.values() if stem in (one.id, one.name)]
    # As no_arp_2.c begins; a longer name comes before a shorter.
    fits += sorted(
        (one.id for one in names.values() if stem.startswith(f"{one.name}_")),
        key=lambda number: -len(exercises.find(number).name),
    )
    return fits[0] if fits else ""


def _why(name: str, names: Mapping[str, Exercise]) -> str:
    """Why a name is no answer's; empty where it is one's."""
    if name in names:
        return ""
    if (suffix := Path(name).suffix.casefold()) in OTHERS:
        return OTHERS[suffix]
    number = _guess(name, names)
    if not number:
        return "no exercise has that name"
    return f"no exercise has that name; call it {number}{exercises.find(number).suffix}"
