"""What stands on the course's first page, and what lab start says before it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from support.host import NOTEBOOKS, REPO

from labsetup.command.copies import Copies
from labsetup.editor.course import course
from labsetup.practice.diary import Diary, kept_in
from labsetup.practice.exercise import every, file_of


@pytest.fixture(autouse=True)
def _fresh_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def mine(tmp_path: Path) -> Copies:
    copies = Copies(folder=tmp_path / "my-lab")
    copies.update()
    return copies


def solved(*numbers: str) -> None:
    with Diary.changing() as diary:
        for number in numbers:
            diary.tried(number, ok=True)


def test_every_lesson_and_every_exercise_is_on_it():
    lessons = course()["lessons"]
    assert [lesson["file"] for lesson in lessons] == [path.name for path in NOTEBOOKS]
    assert [task["number"] for lesson in lessons for task in lesson["tasks"]] == [*every()]
    for lesson in lessons:
        assert all(file_of(int(task["number"][0])) == lesson["file"] for task in lesson["tasks"])
        assert 0 < lesson["reading"] < lesson["everything"] and lesson["question"][-1] in "?"


@pytest.mark.parametrize(
    ("done", "words", "anchor"),
    [
        ((), "Begin with 00 Start here", ""),
        (("1.1",), "Go on with 1.2 Too long", "1.2-Too-long"),
        (("1.1", "1.2", "1.3"), "Go on with 02 Drop", ""),
        (("3.2",), "Go on with 3.1 Count bytes", "3.1-Count-bytes"),
        (("9.1", "9.2", "9.3", "9.4"), "Left over: 01 Pass", ""),
        (tuple(every()), "", ""),
    ],
)
def test_what_is_next(mine, done, words, anchor):
    solved(*done)
    following = course(mine)["next"]
    assert (following["words"], following["anchor"]) == (words, anchor)


def test_a_lesson_in_which_the_reader_has_worked_is_begun(mine, tmp_path):
    notebook = tmp_path / "my-lab" / "00-start-here.ipynb"
    notebook.write_text(notebook.read_text().replace("Start here", "Start here, I did"))
    found = course(Copies(folder=tmp_path / "my-lab"))
    assert [lesson["begun"] for lesson in found["lessons"]] == [True] + (len(NOTEBOOKS) - 1) * [
        False
    ]
    assert found["next"]["words"] == "Go on with 01 Pass"
    notebook.unlink()
    assert not course(Copies(folder=tmp_path / "my-lab"))["lessons"][0]["begun"]


def test_progress_that_cannot_be_understood_is_told():
    kept_in().parent.mkdir(parents=True)
    kept_in().write_text("{")
    assert "could not be understood" in course()["notice"]


def test_start_says_its_address_once_and_first_of_all_what_it_does(tmp_path, monkeypatch):
    monkeypatch.setenv("XDP_LAB_MINE", str(tmp_path / "my-lab"))
    command = ["-P", "-m", "labsetup.command", "start", "--", "--no-browser", "--port=0"]
    server = subprocess.Popen(
        [sys.executable, *command], cwd=REPO, stderr=subprocess.PIPE, text=True
    )
    assert server.stderr
    said = [server.stderr.readline()]
    while "Ctrl-C" not in said[-1] and said[-1]:
        said.append(server.stderr.readline())
    address = said[1].split()[-1]
    base, token = address.split("/lab?token=")
    asked = Request(f"{base}/xdp-lab/course", headers={"Authorization": f"token {token}"})
    with urlopen(asked, timeout=10) as answer:
        found = json.load(answer)
    assert found["folder"] == "my-lab" and len(found["lessons"]) == len(NOTEBOOKS)
    time.sleep(1)  # in which JupyterLab would go on speaking
    server.terminate()
    said += server.communicate(timeout=20)[1].splitlines(keepends=True)
    assert said[0] == "JupyterLab starts.\n"
    assert "".join(said).count("http://") == 1
    assert f"ssh -L {base.rpartition(':')[2]}:127.0.0.1:" in said[2]
    assert not [line for line in said if line.startswith("[")][:-1]  # its last word is its own
