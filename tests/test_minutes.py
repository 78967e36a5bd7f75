"""The minutes that a notebook asks for, and its way to the glossary: the same for all, and true."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from support.host import NOTEBOOKS, REPO

GLOSSARY = NOTEBOOKS[0].parent / "glossary.md"
EACH, TASKS = 8, 5  # minutes for an exercise, and for what is asked without a check


def estimated(notebook: nbformat.NotebookNode) -> tuple[int, int]:
    """Minutes to read and run a notebook, and those with all of its exercises.

    150 words a minute, since the text is dense; 10 lines of code and 20 of output, which are looked
    at and not read word by word; and a quarter of a minute to run a cell.
    """
    sources = [cell.source for cell in notebook.cells]
    end = next(at for at, source in enumerate(sources) if source.startswith("## Now you"))
    lesson, code = notebook.cells[:end], []
    words = 0
    for cell in lesson:
        if cell.cell_type == "code":
            code.append(cell)
        else:
            words += len(cell.source.split())
    lines = sum(len(cell.source.splitlines()) for cell in code)
    shown = sum(
        len((out.get("text") or out.get("data", {}).get("text/plain", "")).splitlines())
        for cell in code
        for out in cell.outputs
    )
    reading = words / 150 + lines / 10 + shown / 20 + len(code) / 4
    exercises = sum(bool(re.match(r"### \d+\.\d+ ", source)) for source in sources)
    return round(reading), round(reading + EACH * exercises + TASKS)


def told(text: str) -> tuple[int, int]:
    """What the head of a notebook says of it."""
    found = re.search(r"· (\d+) minutes to read and run, (\d+) with the exercises", text)
    assert found, text
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_takes_the_minutes_that_it_says(path: Path):
    notebook = nbformat.read(path, as_version=4)
    says, is_so = told(notebook.cells[0].source), estimated(notebook)
    assert abs(says[0] - is_so[0]) <= 5 and abs(says[1] - is_so[1]) <= 10, is_so
    assert not any(minutes % 5 for minutes in says), "nobody knows it better than that"


def test_the_readme_says_the_same():
    table = (REPO / "README.md").read_text()
    for path in NOTEBOOKS:
        reading, everything = told(nbformat.read(path, as_version=4).cells[0].source)
        (row,) = re.findall(rf"^.*notebooks/{path.name}.*$", table, re.MULTILINE)
        assert row.rstrip(" |").endswith(f"| {reading} | {everything}"), row


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_head_leads_to_the_glossary_and_every_link_to_a_file(path: Path):
    cells = nbformat.read(path, as_version=4).cells
    assert f"]({GLOSSARY.name})" in cells[0].source
    for cell in cells:
        if cell.cell_type == "markdown":
            for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", cell.source):
                assert "://" in link or (path.parent / link).is_file(), link


def test_what_the_glossary_says_of_a_lesson_is_there():
    """A word that it gives a lesson stands in that lesson's notebook."""
    for word, lesson in re.findall(
        r"^\*\*(.+?)\.\*\*.*Lesson (\d\d)\.$", GLOSSARY.read_text(), re.MULTILINE
    ):
        (path,) = [one for one in NOTEBOOKS if one.name.startswith(lesson)]
        text = nbformat.writes(nbformat.read(path, as_version=4)).lower().replace("\\n", " ")
        names = [name.split() for name in word.lower().split(",")]
        there = any(all(part in text for part in name) for name in names)
        assert there, f"{word} is not in lesson {lesson}"
