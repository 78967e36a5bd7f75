"""What a reader has done is not lost, whatever becomes of its file or is typed in haste."""

from __future__ import annotations

import os

import pytest

from labsetup import LabError, Program, check, hint, progress
from labsetup.practice import diary
from labsetup.practice.exercise import find


@pytest.fixture(autouse=True)
def _done(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    check("1.1", Program("closed", find("1.1").solution))


def test_a_slip_of_the_hand_forgets_nothing():
    for slip in (1, True, "clear"):
        with pytest.raises(LabError, match=r"type progress\(clear=True\)"):
            progress(slip)
    assert "● 1.1" in repr(progress())


@pytest.mark.parametrize(
    "text",
    [
        '{"exercises": {"1.1": {"state": "done", "hints": Infinity}}}',
        '{"exercises": {"1.1": {"state": "won", "hints": 0}}}',
        '{"exercises": ' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
    ids=["no number", "no state", "very deep"],
)
def test_what_cannot_be_understood_is_set_aside(text, capsys):
    diary.kept_in().write_text(text)
    assert "○ 1.1" in repr(progress())
    assert "could not be understood: it is kept in" in capsys.readouterr().out
    (aside,) = diary.kept_in().parent.glob("*unreadable*")
    assert aside.read_text() == text


def test_there_is_always_a_name_to_set_it_aside(capsys):
    folder = diary.kept_in().parent
    for number in range(1, 1001):
        (folder / f"progress.unreadable-{number}.json").touch()
    diary.kept_in().write_text("{")
    progress()
    assert "progress.unreadable-1001.json" in capsys.readouterr().out


def test_a_full_disk_is_told(monkeypatch, capsys):
    def full(**_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("labsetup.practice.diary.tempfile.mkstemp", full)
    assert hint("1.2")
    assert "No space left on device; mend that, and check" in capsys.readouterr().out
