"""The reader's own copy of the course: made once, never overwritten."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from labsetup import LabError
from labsetup.command.copies import MINE, Copies
from labsetup.command.places import NOTEBOOKS


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name in ("03-count-icmp.ipynb", "04-look-inside.ipynb", "glossary.md"):
        shutil.copy(NOTEBOOKS / name, folder)
    return folder


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return tmp_path / "my-lab"


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text())["cells"]


def change(path: Path, words: str) -> bytes:
    """As a reader, or the course, would change a notebook."""
    notebook = json.loads(path.read_text())
    notebook["cells"].append({"cell_type": "markdown", "id": "x", "metadata": {}, "source": words})
    path.write_text(json.dumps(notebook))
    return path.read_bytes()


def test_a_copy_has_the_cells_and_no_outputs(originals, mine):
    assert Copies(originals, mine).update() == []
    assert sorted(one.name for one in mine.glob("[!.]*")) == sorted(os.listdir(originals))
    for name in ("03-count-icmp.ipynb", "04-look-inside.ipynb"):
        copied, original = cells(mine / name), cells(originals / name)
        assert [one["source"] for one in copied] == [one["source"] for one in original]
        assert not any(one.get("outputs") or one.get("execution_count") for one in copied)
    assert "mimetype" in (mine / "03-count-icmp.ipynb").read_text()


def test_what_a_reader_has_written_stays(originals, mine):
    Copies(originals, mine).update()
    written = change(mine / "03-count-icmp.ipynb", "my own words")
    assert Copies(originals, mine).update() == []
    change(originals / "03-count-icmp.ipynb", "a new lesson")
    (told,) = Copies(originals, mine).update()
    assert "03-count-icmp-new.ipynb" in told and "beside yours" in told
    assert (mine / "03-count-icmp.ipynb").read_bytes() == written
    assert cells(mine / "03-count-icmp-new.ipynb")[-1]["source"] == "a new lesson"
    assert Copies(originals, mine).update() == []  # told once
    change(originals / "03-count-icmp.ipynb", "a newer lesson")
    (told,) = Copies(originals, mine).update()
    assert "03-count-icmp-new-2.ipynb" in told
    assert (mine / "03-count-icmp.ipynb").read_bytes() == written


def test_what_a_reader_has_not_touched_is_brought_up_to_date(originals, mine):
    Copies(originals, mine).update()
    change(originals / "04-look-inside.ipynb", "a new lesson")
    assert Copies(originals, mine).update() == []
    assert cells(mine / "04-look-inside.ipynb")[-1]["source"] == "a new lesson"


def test_a_fresh_one_leaves_the_old_beside_it(originals, mine):
    copies = Copies(originals, mine)
    copies.update()
    fresh = (mine / "03-count-icmp.ipynb").read_bytes()
    for name in ("03-count-icmp-yours.ipynb", "03-count-icmp-yours-2.ipynb"):
        written = change(mine / "03-count-icmp.ipynb", name)
        assert name in Copies(originals, mine).restore("3")
        assert (mine / name).read_bytes() == written
        assert (mine / "03-count-icmp.ipynb").read_bytes() == fresh
    (mine / "04-look-inside.ipynb").unlink()
    assert "is fresh" in copies.restore("04")


@pytest.mark.parametrize("number", ["12", "", "glossary", "x", "3x"])
def test_a_lesson_that_is_not_there(originals, mine, number):
    with pytest.raises(LabError, match="there are 03, 04"):
        Copies(originals, mine).restore(number)


@pytest.mark.parametrize("record", ["", "{", "[]", '{"03-count-icmp.ipynb": 3}', "\x00"])
def test_a_record_that_is_lost_costs_nobody_their_work(originals, mine, record):
    Copies(originals, mine).update()
    written = change(mine / "03-count-icmp.ipynb", "my own words")
    (mine / ".made-from.json").write_text(record)
    Copies(originals, mine).update()
    assert (mine / "03-count-icmp.ipynb").read_bytes() == written


def test_a_folder_that_cannot_be_made(originals, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="cannot be written"):
        Copies(originals, tmp_path / "file").update()


def test_it_belongs_to_whoever_typed_sudo(originals, mine, monkeypatch):
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65534")
    Copies(originals, mine).update()
    assert {one.stat().st_uid for one in (mine, *mine.iterdir())} == {65534}


def test_git_ignores_it_and_cells_find_what_they_name():
    assert f"{MINE.name}/" in (NOTEBOOKS.parent / ".gitignore").read_text().split()
    assert (MINE / ".." / "bpf").resolve().is_dir() or not MINE.exists()
    assert MINE.parent == NOTEBOOKS.parent  # ../bpf is the same folder
