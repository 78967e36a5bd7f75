"""What holds for every notebook, beyond that nbval finds its outputs again."""

from __future__ import annotations

import re

import nbformat
import pytest
from support.host import NOTEBOOKS, REPO

from labsetup.practice import exercise as exercises


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_it_is_stored_as_run_from_top_to_bottom(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


def test_its_last_lines_show_what_they_say(notebook):
    for cell in code_cells(notebook):
        last = cell.source.rstrip().splitlines()[-1]
        if re.fullmatch(r"[a-z_]+(\.\w+)*|print\(.*", last.strip()):
            assert cell.outputs, cell.source


def test_it_runs_in_the_labs_kernel(notebook):
    assert notebook.metadata.kernelspec.name == "xdp-lab"


def test_no_output_is_left_uncompared(notebook):
    tags = {tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])}
    assert tags <= {"raises-exception"}


def test_no_widget_is_stored(notebook):
    """JupyterLab shows an error for one whose kernel is gone; `labsetup/lab run --store` knows."""
    assert "application/vnd.jupyter.widget-view+json" not in nbformat.writes(notebook)


def test_errors_are_meant(notebook):
    for cell in code_cells(notebook):
        failed = any(output.output_type == "error" for output in cell.outputs)
        assert failed == ("raises-exception" in cell.metadata.get("tags", [])), cell.source


def test_it_is_short_enough_to_sit_through(notebook):
    assert len(code_cells(notebook)) <= 25
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert len(cell.source.split()) <= 120, cell.source


def test_it_begins_with_a_question_and_ends_with_tasks(notebook):
    first = notebook.cells[0].source
    assert re.search(r"^\*.+\?\* · \d+ minutes", first, re.MULTILINE)
    assert any("## Now you" in cell.source for cell in notebook.cells)


def test_it_names_no_machine(notebook):
    text = nbformat.writes(notebook)
    assert str(REPO) not in text
    assert "/home/" not in text
    assert "/root/" not in text


def test_it_has_its_lessons_exercises_as_they_are_kept(notebook):
    lesson = int(notebook.cells[0].id.partition("-")[0])
    mine = [one for one in exercises.every().values() if one.lesson == lesson]
    sources = [cell.source for cell in notebook.cells]
    for exercise in mine:
        place = sources.index(exercise.markdown)
        assert sources[place + 1] == exercise.cell
        assert exercise.starter_says in str(notebook.cells[place + 1].outputs)
    shown = [cell for cell in code_cells(notebook) if "--check" in cell.source]
    assert len(shown) == sum(one.suffix == ".c" for one in mine)
