"""A new exercise: what is to be filled in, and that it then does what the others do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from labsetup import LabError
from labsetup.command.lessons import missing, new_exercise
from labsetup.practice.exercise import within
from labsetup.practice.judge import judge


@pytest.mark.parametrize("python", [False, True])
def test_a_new_exercise_says_what_to_fill_in(lessons, python):
    folder = new_exercise("2.4", "mine", python, lessons)
    assert folder == lessons / "lesson_02_drop" / "ex_2_4_mine"
    told = missing(folder)
    for file in ("text.md", "check.py", "mistakes.diff", "also_right.diff"):
        assert any(f"{file}, line 1: fill in " in one for one in told), told
    assert any("it has 1 of at least 4 answers" in one for one in told)
    exercise = within(lessons)["2.4"]
    assert (exercise.id, exercise.name, exercise.suffix) == (
        "2.4",
        "mine",
        ".py" if python else ".c",
    )
    assert judge(exercise, exercise.solution).ok
    assert not judge(exercise, exercise.starter).ok
    (answer, words) = next(iter(exercise.near_misses.values()))
    assert words not in repr(judge(exercise, answer))


@pytest.mark.parametrize(
    ("number", "name", "sentence"),
    [
        ("2.2", "mine", "2.2 is last_hop"),
        ("2.5", "mine", "the next exercise of lesson 2 is 2.4"),
        ("10.1", "mine", "no number of an exercise"),
        ("two", "mine", "no number of an exercise"),
        ("2.4", "no arp", "«no arp» is no name"),
        ("2.4", "return", "«return» is no name"),
        ("2.4", "no_dns", "2.3 is called no_dns"),
        ("2.4", "capture", "labsetup has a capture"),
        ("3.1", "mine", "has no folder lesson_03_"),
    ],
)
def test_a_new_exercise_that_cannot_be_is_said(lessons, number, name, sentence):
    before = sorted(lessons.rglob("*"))
    with pytest.raises(LabError, match=sentence):
        new_exercise(number, name, lessons=lessons)
    assert sorted(lessons.rglob("*")) == before


FILLED = Path(__file__).parent / "support" / "no_six"  # what an author writes


def test_a_new_exercise_that_is_filled_in_does_what_the_others_do(lessons):
    folder = new_exercise("2.4", "no_six", lessons=lessons)
    shutil.copytree(FILLED, folder, dirs_exist_ok=True)
    assert not missing(folder)
    exercise = within(lessons)["2.4"]
    starter = judge(exercise, exercise.starter)
    assert not starter.ok
    assert judge(exercise, exercise.solution).ok
    for answer, words in exercise.near_misses.values():
        reply = judge(exercise, answer)
        assert not reply.ok
        assert words in repr(reply)
    for answer in exercise.alternatives.values():
        assert judge(exercise, answer).ok
