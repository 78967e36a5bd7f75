"""Notebooks are brought in line with the folders of the exercises."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.host import REPO

from labsetup import LabError
from labsetup.command.lessons import sync


@pytest.fixture
def notebooks(tmp_path):
    """The course's notebooks, in a place where they may be changed."""
    return Path(shutil.copytree(REPO / "notebooks", tmp_path / "notebooks"))


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("*.ipynb")}


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_the_notebooks_are_as_the_exercises_say():
    assert not sync(REPO / "notebooks", check=True)


def test_where_nothing_differs_nothing_is_written(notebooks):
    assert not sync(notebooks)
    assert contents(notebooks) == contents(REPO / "notebooks")


def test_a_text_is_brought_in_line(notebooks):
    change(notebooks / "05-send-back.ipynb", "### 5.1 Echo", "### 5.1 Ecco")
    told = ["05-send-back.ipynb: the text of 5.1 is another than in its folder"]
    before = contents(notebooks)
    assert sync(notebooks, check=True) == told
    assert contents(notebooks) == before
    assert sync(notebooks) == told
    assert contents(notebooks) == contents(REPO / "notebooks")


def test_the_readme_shows_the_scoreboard_of_the_last_lesson(notebooks):
    place = Path("labsetup", "pages", "static", "scoreboard.svg")
    picture = notebooks.parent / place
    picture.parent.mkdir(parents=True)
    picture.write_text("an older one")
    (told,) = sync(notebooks, check=True)
    assert "08-without-a-load-balancer.ipynb: its scoreboard" in told
    assert picture.read_text() == "an older one"
    assert sync(notebooks) == [told]
    assert picture.read_bytes() == (REPO / place).read_bytes()
    assert f"]({place})" in (REPO / "README.md").read_text()


def test_a_cell_is_brought_in_line_and_loses_its_outputs(notebooks):
    path = notebooks / "02-drop.ipynb"
    change(path, "%%xdp no_arp --check 2.1", "%%xdp no_arp")
    (told,) = sync(notebooks)
    assert "02-drop.ipynb: the cell of 2.1" in told
    kept, now = (
        json.loads(text)["cells"]
        for text in ((REPO / "notebooks" / path.name).read_text(), path.read_text())
    )
    different = [at for at, pair in enumerate(zip(kept, now, strict=True)) if pair[0] != pair[1]]
    assert len(different) == 1
    (at,) = different
    assert now[at] == kept[at] | {"outputs": [], "execution_count": None}


@pytest.mark.parametrize("number", ["5.1", "5.3", "5.4"])
def test_an_exercise_that_is_not_there_goes_in_in_its_order(notebooks, number):
    path = notebooks / "05-send-back.ipynb"
    notebook = json.loads(path.read_text())
    kept = [cell["source"] for cell in notebook["cells"]]
    at = next(at for at, lines in enumerate(kept) if lines[0].startswith(f"### {number} "))
    del notebook["cells"][at : at + 2]
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    (told,) = sync(notebooks)
    assert f"05-send-back.ipynb had no {number}, and has it now" in told
    cells = json.loads(path.read_text())["cells"]
    assert [cell["source"] for cell in cells] == kept
    assert len({cell["id"] for cell in cells}) == len(cells)
    assert all(cell["id"].startswith("05-") for cell in cells)
    assert not sync(notebooks)


def test_an_exercise_that_no_folder_has_is_said(notebooks):
    change(notebooks / "05-send-back.ipynb", "### 5.4 The museum", "### 5.9 The museum")
    told = sync(notebooks, check=True)
    assert any("has 5.9, and no folder has it" in one for one in told)
    assert any("no 5.4" in one for one in told)


def test_notebooks_that_are_elsewhere_are_said(tmp_path):
    with pytest.raises(LabError, match="has 0 notebooks of lesson 01"):
        sync(tmp_path)


def without(path: Path, is_unwanted: Callable[[dict[str, Any]], bool]) -> None:
    notebook = json.loads(path.read_text())
    notebook["cells"] = [cell for cell in notebook["cells"] if not is_unwanted(cell)]
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


def test_an_exercise_without_its_cell_is_said(notebooks):
    without(notebooks / "05-send-back.ipynb", lambda cell: "--check 5.1" in "".join(cell["source"]))
    with pytest.raises(LabError, match=r"no cell of code stands below 5\.1; add one"):
        sync(notebooks)


def test_a_notebook_without_a_place_for_exercises_is_said(notebooks):
    def is_of_an_exercise(cell: dict[str, Any]) -> bool:
        return "".join(cell["source"]).startswith(("## Now you", "### 5."))

    without(notebooks / "05-send-back.ipynb", is_of_an_exercise)
    with pytest.raises(LabError, match="has no place for exercises; add a cell «## Now you»"):
        sync(notebooks)
