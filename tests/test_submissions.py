"""Answers in files: the command, for one and for those of a class."""

from __future__ import annotations

import csv
import json
import os
import time

import pytest
from support.host import LAB, on_host

from labsetup.marking.submissions import cell
from labsetup.practice.exercise import every, find
from labsetup.practice.judge import judge


@pytest.mark.alone
def test_the_command(tmp_path):
    path = tmp_path / "answer.c"
    path.write_text(find("2.3").solution)
    begun = time.monotonic()
    right = on_host(LAB, "check", "2.3", path, "--json")
    assert time.monotonic() - begun < 6  # 3 s on a quiet machine
    assert right.returncode == 0
    assert (json.loads(right.stdout)["ok"], json.loads(right.stdout)["hint"]) == (True, "")
    answer, words = find("2.3").near_misses["IP options ignored"]
    path.write_text(answer)
    wrong = on_host(LAB, "check", "2.3", path, "--json")
    assert wrong.returncode == 1
    reply = json.loads(wrong.stdout)
    assert set(reply) == {"exercise", "ok", "message", "hint"}
    assert (reply["exercise"], reply["ok"]) == ("2.3", False)
    assert words in reply["message"]
    assert "further back" in reply["hint"]
    plain = on_host(LAB, "check", "2.3", path)
    assert plain.stdout.startswith("2.3 A port: not yet")


def test_the_command_lists_them():
    listed = on_host(LAB, "check", "--list")
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(every())
    as_json = json.loads(on_host(LAB, "check", "--list", "--json").stdout)
    assert [one["exercise"] for one in as_json] == list(every())
    assert as_json[3] == {"exercise": "2.1", "file": "no_arp.c", "title": "No ARP"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("9.9", "x.c"), "there is no exercise 9.9"),
        (("2.1", "nowhere.c"), "there is no file nowhere.c"),
        (("2.1", "notebooks"), "notebooks is a folder; name a file"),
        (("2.1",), "the number of an exercise and a file"),
        ((), "the number of an exercise and a file"),
        (("2.1", "README.md", "--csv", "out.csv"), "check --all DIR --csv OUT"),
        (("--list", "--csv", "out.csv"), "--list lists all exercises"),
        (("--list", "2.1"), "--list lists all exercises"),
        (("--list", "--all", "notebooks"), "--list lists all exercises"),
        (("--all", "notebooks", "2.1", "README.md"), "leave out either that or 2.1 README.md"),
        (("--all", "notebooks", "--all", "bpf"), "--all is given twice; give it once"),
        (("2.1", "README.md", "--", "--json"), "check takes nothing behind --"),
        (("--all", "README.md"), "README.md is a file; --all takes a folder"),
        (("--all", "nowhere"), "there is no folder nowhere"),
        (("--all", "notebooks"), "has no answers"),
    ],
)
def test_the_command_used_wrongly(arguments, sentence):
    said = on_host(LAB, "check", *arguments)
    assert said.returncode == 2
    assert sentence in said.stderr
    assert said.stdout == ""


def test_a_folder_of_submissions(tmp_path):
    big = "volatile char b[600]; for (int i = 0; i < 600; i++) b[i] = i; return 2;"
    files = {
        "ada/1.1.c": find("1.1").solution,
        "ada/9.4.c": find("9.4").solution,
        "ada/packets.py": find("3.2").solution,
        "ada/notes.py": "",
        "bob/closed.c": find("1.1").starter,
        "bob/2.1.c": f"int no_arp(struct xdp_md *ctx) {{ {big} }}",
        "eve/3.2.py": "import os\nos.kill(os.getpid(), 9)\n",
    }
    for name, text in files.items():
        path = tmp_path / "class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    table = tmp_path / "out.csv"
    said = on_host(LAB, "check", "--all", tmp_path / "class", "--csv", table)
    assert said.returncode == 1
    assert said.stdout.endswith("\n3 of 6 right, 1 not marked\n")
    assert "skipped" in said.stderr
    assert "notes.py" in said.stderr
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["student"], r["exercise"], r["ok"]) for r in rows] == [
        ("ada", "1.1", "True"),
        ("ada", "9.4", "True"),
        ("ada", "3.2", "True"),
        ("ada", "", ""),
        ("bob", "2.1", "False"),
        ("bob", "1.1", "False"),
        ("eve", "3.2", "False"),
    ]
    assert "512 bytes" in rows[4]["message"]
    assert "PermissionError in line 2" in rows[6]["message"]


JUNK = """import os, sys
for file in range(3, 200):
    try:
        os.write(file, b"junk" * 100)
    except OSError:
        pass
def packets(counters):
    return 0
"""
UNPRINTABLE = """class Odd(Exception):
    def __str__(self):
        return "\\udcff"
def packets(counters):
    raise Odd
"""
FORGED = """import os, json, struct
reply = json.dumps({"exercise": "3.2", "title": "x", "ok": "yes", "rows": [], "differs": [],
                    "think": ""}).encode()
for file in range(3, 200):
    try:
        os.write(file, struct.pack("=QQ", 0, len(reply)) + reply)
    except OSError:
        pass
def packets(counters):
    return 0
"""
HUGE = """import os, struct
for file in range(3, 200):
    try:
        os.write(file, struct.pack("=QQ", 0, 2**60))
    except OSError:
        pass
def packets(counters):
    return 0
"""


def test_answers_that_disturb_their_check_are_marked_and_the_next_as_well(tmp_path):
    mischief = {"ada": JUNK, "bob": UNPRINTABLE, "cyd": FORGED, "dan": HUGE}
    for student, text in mischief.items():
        path = tmp_path / "class" / student / "3.2.py"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    good = tmp_path / "class" / "eve" / "3.2.py"
    good.parent.mkdir()
    good.write_text(find("3.2").solution)
    table = tmp_path / "out.csv"
    said = on_host(LAB, "check", "--all", tmp_path / "class", "--csv", table)
    assert "Traceback" not in said.stderr
    assert "1 of 5 right" in said.stdout
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["student"], row["ok"]) for row in rows] == [
        *((student, "False") for student in mischief),
        ("eve", "True"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1", "utf-8"])
def test_an_answer_in_any_common_encoding(encoding, tmp_path):
    path = tmp_path / "1.1.c"
    text = f"/* für alle */\n{find('1.1').solution}".replace("\n", "\r\n")
    path.write_bytes(text.encode(encoding))
    assert judge(find("1.1"), path).ok
    python = tmp_path / "3.2.py"
    python.write_bytes(f"# für alle\n{find('3.2').solution}".encode(encoding))
    assert judge(find("3.2"), python).ok


def test_what_is_no_file_of_the_student_s_own_is_told(tmp_path):
    """Links lead to others' answers, a FIFO's end would be waited for, names act on terminals."""
    students = tmp_path / "class"
    right = find("1.1").solution
    for name in ("ada", "bob", "cyd", "dan", "eve", "=1+1", "a\x1b[2J\nb"):
        (students / name).mkdir(parents=True)
    (students / "ada" / "1.1.c").write_text(right)
    (students / "bob" / "1.1.c").symlink_to("../ada/1.1.c")
    (students / "bob" / "3.2.py").symlink_to("/etc/shadow")
    (students / "bob" / "2.1.c").symlink_to("nowhere")
    os.mkfifo(students / "cyd" / "1.1.c")
    (students / "dan" / "1.1.c").mkdir()
    (students / "eve" / "1.1.c").write_text(f"/*{'x' * 2**20}*/{right}")
    (students / "=1+1" / "3.2.py").write_text("def packets(c): raise ValueError('\\x1b[2J')")
    (students / "a\x1b[2J\nb" / "1.1.c").write_text(right)
    (students / "fay").symlink_to("ada")
    (students / "notes.txt").write_text("")
    table = tmp_path / "out.csv"
    said = on_host(LAB, "check", "--all", students, "--csv", table)
    assert "2 of 9 right" in said.stdout
    assert "\x1b" not in said.stdout + said.stderr
    assert "skipped" in said.stderr
    assert "fay: it is a link" in said.stderr
    with table.open() as file:
        rows = {(row["student"], row["exercise"]): row for row in csv.DictReader(file)}
    messages = {key: row["message"].partition("happened: ")[2] for key, row in rows.items()}
    assert all("it is a link" in messages["bob", one] for one in ("1.1", "2.1", "3.2"))
    assert all("it is no file" in messages[one, "1.1"] for one in ("cyd", "dan"))
    assert "at most 1,048,576" in messages["eve", "1.1"]
    assert "\\x1b[2J" in messages["'=1+1", "3.2"]
    assert rows["a\\x1b[2J\\nb", "1.1"]["ok"] == "True"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1", " =1", "\n+1"])
def test_no_cell_is_a_formula(text):
    assert cell(text).startswith("'")
    assert cell("plain = text") == "plain = text"


def test_one_answer_may_be_a_link_for_whoever_names_it(tmp_path):
    (tmp_path / "mine.c").write_text(find("1.1").solution)
    (tmp_path / "link.c").symlink_to("mine.c")
    assert on_host(LAB, "check", "1.1", tmp_path / "link.c").returncode == 0


def test_one_answer_may_come_through_a_pipe(tmp_path):
    (tmp_path / "mine.c").write_text(find("1.1").solution)
    for words in (f"<(cat {tmp_path}/mine.c)", f"/dev/stdin < <(cat {tmp_path}/mine.c)"):
        said = on_host("bash", "-c", f"{LAB} check 1.1 {words}")
        assert said.returncode == 0, said.stderr
    said = on_host("bash", "-c", f"{LAB} check 1.1 <(cat /dev/zero)")
    assert said.returncode == 2
    assert "at most 1,048,576" in said.stderr


def test_the_help_says_what_stays_a_risk():
    said = on_host(LAB, "check", "--help").stdout
    for word in ("nobody", "kernel", "verifier", "virtual machine", "timing", "copied"):
        assert word in said
