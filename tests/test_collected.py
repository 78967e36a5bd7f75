"""What a class hands in: nothing of it is passed over, and no table takes anything away."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
from support.host import LAB, on_host

from labsetup.errors import LabError
from labsetup.marking.collected import MOST, Submission, Unmarked
from labsetup.marking.collected import find as collect
from labsetup.marking.submissions import cell, named, refuse_to_lose
from labsetup.practice.exercise import find

HEAD = "student,exercise,ok,message,hint\r\n"


def hand_in(folder: Path, *files: str) -> Path:
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(find("2.1").solution)
    return folder


def unmarked(folder: Path) -> dict[tuple[str, str], tuple[str, str]]:
    found = [one for one in collect(folder) if isinstance(one, Unmarked)]
    return {(one.student, one.file): (one.exercise, one.why) for one in found}


@pytest.mark.parametrize(
    ("file", "exercise", "why"),
    [
        ("2.1.C", "2.1", "call it 2.1.c"),
        ("2.1.c.txt", "2.1", "call it 2.1.c"),
        ("2.1 (1).c", "2.1", "call it 2.1.c"),
        ("2.1", "2.1", "call it 2.1.c"),
        ("2.1.py", "2.1", "call it 2.1.c"),
        ("No_ARP-final.c", "2.1", "call it 2.1.c"),
        ("choose_weighted_2.py", "6.2", "call it 6.2.py"),
        ("2.10.c", "", "no exercise has that name"),
        ("mine.c", "", "no exercise has that name"),
        ("mine.PY", "", "no exercise has that name"),
        ("sub/deep/2.1.c", "2.1", "move it to ada/2.1.c"),
        ("sub/2.1.C", "2.1", "call it 2.1.c"),
        ("answers.zip", "", "unpack it"),
        ("02-drop.ipynb", "", "it is a notebook"),
    ],
)
def test_what_looks_like_an_answer_is_named_with_the_reason(
    tmp_path: Path, file: str, exercise: str, why: str
) -> None:
    told = unmarked(hand_in(tmp_path, f"ada/{file}", "ada/3.1.c", "bob/2.1.c"))
    assert list(told) == [("ada", file)]
    assert told["ada", file][0] == exercise
    assert why in told["ada", file][1]


def test_every_student_is_in_the_table(tmp_path: Path) -> None:
    hand_in(tmp_path, "ada/2.1.c", "bob/only readme.txt", "2.1.c", "readme.txt", "__MACOSX/._2.1.c")
    (tmp_path / "cyd").mkdir()
    (tmp_path / "dan").symlink_to("ada")
    (tmp_path / "eve").symlink_to("nowhere")
    (tmp_path / "about").symlink_to("readme.txt")
    (tmp_path / "ada" / "more").symlink_to("../bob")
    hand_in(tmp_path, "ada/__pycache__/packets.cpython-311.pyc")
    told = unmarked(tmp_path)
    assert {key: why for key, (_, why) in told.items() if "link" not in why} == {
        ("bob", ""): "it has no answer, only only readme.txt",
        ("cyd", ""): "it is empty",
        ("", "2.1.c"): "it is in no student's folder; move it into one",
    }
    links = {key for key, (_, why) in told.items() if "link" in why}
    assert links == {("dan", ""), ("eve", ""), ("ada", "more")}


def test_of_very_many_files_some_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    hand_in(tmp_path, "ada/2.1.c", *(f"ada/linux/{number}.c" for number in range(1000)))
    told = list(unmarked(tmp_path).values())
    assert len(told) == MOST
    assert told[-1][1] == f"{1000 - MOST + 1} more files in there are not marked either"


def test_two_answers_to_one_exercise_get_a_remark(tmp_path: Path) -> None:
    found = collect(hand_in(tmp_path, "ada/2.1.c", "ada/no_arp.c", "ada/2.2.c", "bob/no_arp.c"))
    remarks = [one.remark for one in found if isinstance(one, Submission)]
    same = "one of 2 answers to 2.1: 2.1.c, no_arp.c"
    assert sorted(remarks) == ["", "", same, same]


def test_names_that_differ_stay_different() -> None:
    names = ["a b", "a\tb", "a\nb", "a\rb", "a\\tb", "a\\\\tb", "a\xa0b", "=a", "'=a", "''=a"]
    cells = [cell(named(name)) for name in names]
    assert len(set(cells)) == len(names)
    assert all(one.isprintable() for one in cells)


def test_a_class_is_marked_with_all_that_is_said_of_it(tmp_path: Path) -> None:
    students = hand_in(tmp_path / "class", "ada/2.1.c", "ada/no_arp.c", "a\tb/2.1.c", "a\nb/2.1.C")
    table = tmp_path / "out.csv"
    table.write_text(HEAD)  # an earlier one is written anew
    said = on_host(LAB, "check", "--all", students, "--csv", table)
    assert said.returncode == 1
    assert said.stdout.endswith("3 of 3 right, 1 not marked\n")
    assert "ada: each is one of 2 answers to 2.1: 2.1.c, no_arp.c; all are marked" in said.stderr
    assert "a\\nb/2.1.C: no exercise has that name; call it 2.1.c" in said.stderr
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [(one["student"], one["ok"], one["file"]) for one in rows] == [
        ("a\\tb", "True", "2.1.c"),
        ("a\\nb", "", "2.1.C"),
        ("ada", "True", "2.1.c"),
        ("ada", "True", "no_arp.c"),
    ]
    assert "not marked" in rows[1]["message"] and "one of 2 answers" in rows[2]["message"]
    listed = json.loads(on_host(LAB, "check", "--all", students, "--json").stdout)
    assert [(one["student"], one["ok"]) for one in listed] == [
        ("a\tb", True),
        ("a\nb", None),
        ("ada", True),
        ("ada", True),
    ]


def test_a_class_without_one_answer_that_is_taken_has_its_table(tmp_path: Path) -> None:
    students = hand_in(tmp_path / "class", "ada/2.1.C", "bob/readme.txt")
    table = tmp_path / "out.csv"
    said = on_host(LAB, "check", "--all", students, "--csv", table)
    assert said.returncode == 1
    assert said.stdout.endswith("0 of 0 right, 2 not marked\n")
    assert len(table.read_text().splitlines()) == 3


def test_a_table_takes_nothing_away(tmp_path: Path) -> None:
    students = hand_in(tmp_path / "class", "ada/2.1.c")
    answer = students / "ada" / "2.1.c"
    (tmp_path / "link.csv").symlink_to(answer)
    os.link(answer, tmp_path / "hard.csv")
    (tmp_path / "grades.csv").write_text(HEAD.replace("hint", "hint,grade"))
    entries = collect(students)
    for name, words in {
        "class/ada/2.1.c": "is in the class's folder",
        "class/new.csv": "is in the class's folder",
        "class/../class/new.csv": "is in the class's folder",
        "link.csv": "is in the class's folder",
        "hard.csv": "hard.csv is ",
        "grades.csv": "is no table that lab check has written",
    }.items():
        with pytest.raises(LabError, match=words):
            refuse_to_lose(tmp_path / name, students, entries)
    said = on_host(LAB, "check", "--all", students, "--csv", answer)
    assert (said.returncode, said.stdout) == (2, "")
    assert answer.read_text() == find("2.1").solution


@pytest.mark.parametrize(
    "text", [None, "", HEAD, HEAD.replace("hint", "hint,file") + "ada,2.1\r\n"]
)
def test_an_earlier_table_is_written_anew(tmp_path: Path, text: str | None) -> None:
    students = hand_in(tmp_path / "class", "ada/2.1.c")
    if text is not None:
        (tmp_path / "out.csv").write_text(text)
    refuse_to_lose(tmp_path / "out.csv", students, collect(students))
    refuse_to_lose(Path("/dev/null"), students, collect(students))
