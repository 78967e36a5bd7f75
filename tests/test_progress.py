"""hint() and progress(), and the file in which they are kept."""

from __future__ import annotations

import json
import os
import pwd
import re

import nbformat
import pytest
from support.pictures import drawn
from support.replies import right

from labsetup import Program
from labsetup.command.places import NOTEBOOKS
from labsetup.practice import diary
from labsetup.practice.exercise import LESSONS, every, find
from labsetup.practice.hints import Hint, hint
from labsetup.practice.notebook import check
from labsetup.practice.progress import progress


@pytest.fixture(autouse=True)
def _fresh_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_hints_open_one_by_one_and_then_a_solution():
    exercise = find("2.1")
    for number in (1, 2, 3):
        opened = hint("2.1")
        assert exercise.hints[number - 1] in opened.text
        assert f"hint {number} of 3" in opened.title
        assert not opened.code
    last = hint("2.1")
    assert last.code == exercise.solution
    assert last.text == exercise.compare


def test_hints_that_were_opened_stay_in_sight_until_it_is_right():
    def tried(program):
        reply = check("2.1", program)
        assert reply
        return reply

    exercise = find("2.1")
    program = Program("no_arp", exercise.starter)
    assert not tried(program).hints
    hint("2.1")
    hint("2.1")
    shown = " ".join(repr(tried(program)).split())
    for number in (1, 2):
        assert f"hint {number} {' '.join(exercise.hints[number - 1].split())}" in shown
    assert exercise.hints[2] not in shown
    assert not tried(Program("no_arp", exercise.solution)).hints


def test_a_pass_opens_the_solution():
    assert not hint("1.1").code
    assert right("1.1", Program("closed", find("1.1").solution))
    assert hint("1.1").code
    check("1.1", Program("closed", find("1.1").starter))
    assert hint("1.1").code, "what is done stays done"


def test_progress_is_kept_shown_and_cleared(tmp_path):
    assert "○ 1.1" in repr(progress())
    check("1.1", Program("closed", find("1.1").starter))
    assert "◐ 1.1" in repr(progress())
    check("1.1", Program("closed", find("1.1").solution))
    shown = progress()
    assert re.search(r"^01 Pass +● 1\.1  ○ 1\.2", repr(shown), re.MULTILINE)
    drawing = drawn(shown)["text/html"]
    assert '● <a href="01-pass.ipynb#1.1-Closed"' in drawing
    assert json.loads(diary.kept_in().read_text())["exercises"]["1.1"]["state"] == "done"
    assert [path.name for path in diary.kept_in().parent.iterdir()] == ["progress.json"]
    assert "○ 1.1" in repr(progress(clear=True))
    assert "○ 1.1" in repr(progress())


def test_each_link_of_the_map_leads_to_a_heading():
    links = re.findall(r'href="([^"#]+)#?([^"]*)"', drawn(progress())["text/html"])
    assert len(links) == len(every()) + len(LESSONS)
    for file, anchor in links:
        cells = nbformat.read(NOTEBOOKS / file, as_version=4).cells
        heads = [cell.source.splitlines()[0] for cell in cells if cell.cell_type == "markdown"]
        assert not anchor or anchor in {
            re.sub("^#+ ", "", head).replace(" ", "-") for head in heads
        }


@pytest.mark.parametrize("text", ["", "{", "[]", '{"exercises": {"1.1": 3}}', '{"version": 1}'])
def test_a_file_that_cannot_be_understood_is_kept_aside(capsys, text):
    diary.kept_in().parent.mkdir(parents=True)
    diary.kept_in().write_text(text)
    hint("1.1")
    assert "could not be understood: it is kept in" in capsys.readouterr().out
    (aside,) = diary.kept_in().parent.glob("*unreadable*")
    assert aside.read_text() == text
    assert "hint 2 of 3" in hint("1.1").title


def test_a_place_that_cannot_be_written_stops_nothing(monkeypatch, capsys):
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    assert isinstance(hint("1.1"), Hint)
    assert "cannot be kept in /proc/nowhere" in capsys.readouterr().out


def test_under_sudo_it_is_the_readers_own(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    owner = pwd.struct_passwd(("reader", "x", 4321, 4321, "", str(home), "/bin/sh"))
    os.chown(home, 4321, 4321)
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("SUDO_USER", "reader")
    monkeypatch.setattr(pwd, "getpwnam", lambda _: owner)
    hint("1.1")
    files = list(home.rglob("*"))
    assert home / ".local" / "state" / "xdp-lab" / "progress.json" in files
    assert {path.stat().st_uid for path in files} == {4321}
