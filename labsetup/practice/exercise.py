"""The exercises: a folder of files each, in ``labsetup/lessons``.

``lesson_05_send_back/ex_5_1_echo/`` holds exercise 5.1, whose answer is called echo:

    text.md           what the notebook says, the hints, and what comes after a right answer
    starter.c         what the reader begins with, C or Python
    solution.c        one right answer
    mistakes.diff     honest mistakes, each with words of the check's reply: see `answers`
    also_right.diff   other right answers
    mistakes/         those that are whole programs of their own; also_right/ likewise
    check.py          ``check(answer)`` returns when it is right, and raises Wrong when it is not

A check looks at what an answer does, never at how it is written.  It runs in a process with a
sandbox of its own: it may make a network, and need not clean up.  Its first packet should be the
one that most wrong answers get right, and the packet on which a known mistake shows comes before
those that it merely breaks, so that the thought fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module, util
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import LabError
from .answers import answers, malformed

LESSONS = {
    1: "Pass",
    2: "Drop",
    3: "Count ICMP",
    4: "Look inside",
    5: "Send it back",
    6: "Consistent hashing",
    7: "Load balancer",
    8: "Without a load balancer",
    9: "Take it home",
}
FOLDER = Path(__file__).parents[1] / "lessons"

TOLD, HINTS, COMPARE, NEXT = SECTIONS = ("The starter is told", "Hints", "Compare", "Next")
_NAME = re.compile(r"ex_(\d+)_(\d+)_(\w+)")


@dataclass(frozen=True)
class Exercise:
    """One of them.

    Attributes:
        id: its number, such as ``"5.1"``.
        name: what the answer is called: a program, or a Python function.
        folder: where its files are.
        suffix: ``".py"`` where the answer is a Python function, else ``".c"``.
        title: as the notebook has it.
        text: what is asked for, in Markdown.
        starter: what the reader begins with.
        starter_says: words with which the check refuses the starter.
        hints: three, from a nudge to nearly the answer.
        solution: one right answer.
        compare: what to look at when one's own answer works and this one is there.
        next: what is worth trying then.
    """

    id: str
    name: str
    folder: Path
    suffix: str
    title: str
    text: str
    starter: str
    starter_says: str
    hints: tuple[str, ...]
    solution: str
    compare: str
    next: str

    @property
    def lesson(self) -> int:
        """The notebook that it belongs to."""
        return int(self.id.partition(".")[0])

    @property
    def anchor(self) -> str:
        """Its heading in the notebook, as a link names it: in JupyterLab, in exports, on forges."""
        return f"{self.id} {self.title}".replace("`", "").replace(" ", "-")

    @cached_property
    def near_misses(self) -> dict[str, tuple[str, str]]:
        """Honest mistakes: what is wrong, the whole answer, and words of the check's reply."""
        found = answers(self.folder / "mistakes.diff", self._solution, replies=True)
        return {kind: (text, says) for kind, text, says in found}

    @cached_property
    def alternatives(self) -> dict[str, str]:
        """Other right answers: what they do otherwise, and the whole answer."""
        found = answers(self.folder / "also_right.diff", self._solution, replies=False)
        return {kind: text for kind, text, _ in found}

    @property
    def _solution(self) -> Path:
        return self.folder / f"solution{self.suffix}"

    @property
    def markdown(self) -> str:
        """What the notebook says, as one cell of text."""
        return f'### {self.id} {self.title}\n\n{self.text} (Stuck? `hint("{self.id}")`.)'

    @property
    def cell(self) -> str:
        """What the reader begins with, as one cell of code that checks itself."""
        magic = f"%%xdp {self.name} --check {self.id}\n" if self.suffix == ".c" else ""
        return magic + self.starter.rstrip()

    @property
    def check(self) -> Callable[[Any], None]:
        """What tells right from wrong."""
        path = self.folder / "check.py"
        found = getattr(_module(path), "check", None)
        if not callable(found):
            raise malformed(path, 0, "it has no function check; write def check(program: Program)")
        checks: Callable[[Any], None] = found
        return checks


def _module(path: Path) -> ModuleType:
    """A check's module; one that lies outside of the lab, too."""
    if not path.is_file():
        raise malformed(path, 0, "there is no such file; it needs a function check")
    if path.is_relative_to(FOLDER):
        *folders, _ = path.relative_to(FOLDER).parts
        return import_module(".".join(["labsetup.lessons", *folders, "check"]))
    spec = util.spec_from_file_location(f"{path.parent.name}.check", path)
    assert spec and spec.loader  # any file whose name ends with .py has both
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(folder: Path) -> Exercise:
    """The exercise in a folder.

    Raises:
        LabError: naming the file, and the line, that is not as it should be.
    """
    named = _NAME.fullmatch(folder.name)
    if named is None:
        raise malformed(folder, 0, "name the folder as in ex_5_1_echo: number and answer's name")
    lesson, number, name = named.groups()
    if not folder.parent.name.startswith(f"lesson_{int(lesson):02}_"):
        raise malformed(folder, 0, f"move it to lesson {lesson}, or give it another number")
    suffixes = [end for end in (".c", ".py") if (folder / f"starter{end}").is_file()]
    if len(suffixes) != 1:
        raise malformed(folder, 0, "it needs one starter; keep starter.c or starter.py")
    (suffix,) = suffixes
    for file in (f"solution{suffix}", "text.md", "mistakes.diff", "also_right.diff", "check.py"):
        if not (folder / file).is_file():
            raise malformed(folder / file, 0, "there is no such file; each exercise has one")
    title, text, sections = _words(folder / "text.md")
    hints = re.split(r"\s*^\d+\. ", "\n" + sections[HINTS], flags=re.MULTILINE)[1:]
    if len(hints) != 3:
        raise malformed(folder / "text.md", 0, f"it has {len(hints)} hints; number three of them")
    return Exercise(
        id=f"{lesson}.{number}",
        name=name,
        folder=folder,
        suffix=suffix,
        title=title,
        text=text,
        starter=(folder / f"starter{suffix}").read_text(),
        starter_says=_joined(sections[TOLD]),
        hints=tuple(_joined(hint) for hint in hints),
        solution=(folder / f"solution{suffix}").read_text(),
        compare=_joined(sections[COMPARE]),
        next=_joined(sections[NEXT]),
    )


def _words(path: Path) -> tuple[str, str, dict[str, str]]:
    """The title, the text, and the sections behind it."""
    lines = path.read_text().splitlines()
    if not lines or not lines[0].startswith("# "):
        raise malformed(path, 1, 'it begins with "# " and the title')
    heads = [number for number, line in enumerate(lines) if line.startswith("## ")]
    names = [lines[number][3:].strip() for number in heads]
    for number, name in zip(heads, names, strict=True):
        if name not in SECTIONS:
            raise malformed(path, number + 1, f"«{name}» is none of {', '.join(SECTIONS)}")
    for name in SECTIONS:
        if names.count(name) != 1:
            raise malformed(path, 0, f"it has «## {name}» {names.count(name)} times, not once")
    ends = [*heads[1:], len(lines)]
    parts = ["\n".join(lines[at + 1 : end]) for at, end in zip(heads, ends, strict=True)]
    for number, name, part in zip(heads, names, parts, strict=True):
        if not part.strip():
            raise malformed(path, number + 1, f"nothing stands below «{name}»; write it")
    text = "\n".join(lines[1 : heads[0]]).strip()
    return lines[0][2:].strip(), text, dict(zip(names, parts, strict=True))


def _joined(text: str) -> str:
    """Lines as one: in a file they are cut where they would be too long."""
    return " ".join(text.split())


def _number(folder: Path) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", folder.name)[:2])


def within(lessons: Path) -> dict[str, Exercise]:
    """The exercises of a folder of lessons by their number, in the order of the course.

    Raises:
        LabError: naming the file, and the line, that is not as it should be.
    """
    folders = sorted(lessons.glob("lesson_*/ex_*"), key=_number)
    return {exercise.id: exercise for exercise in map(read, folders)}


@cache
def every() -> dict[str, Exercise]:
    """All exercises by their number, in the order of the course."""
    return within(FOLDER)


def file_of(lesson: int) -> str:
    """The name of a lesson's notebook."""
    (folder,) = FOLDER.glob(f"lesson_{lesson:02}_*")
    return f"{folder.name.removeprefix('lesson_').replace('_', '-')}.ipynb"


def find(number: str) -> Exercise:
    """The exercise with this number.

    Raises:
        LabError: naming those that there are.
    """
    exercises = every()
    if str(number) in exercises:
        return exercises[str(number)]
    lesson = str(number).partition(".")[0]
    near = [i for i in exercises if i.startswith(f"{lesson}.")]
    if near:
        raise LabError(f"there is no exercise {number}; lesson {lesson} has {', '.join(near)}")
    if not exercises:  # a stranger's answer sees none of them
        raise LabError("an answer in a file is tried without the exercises; ask in a notebook")
    first, *_, last = exercises
    raise LabError(f"there is no exercise {number}; they have numbers from {first} to {last}")
