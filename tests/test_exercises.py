"""Every exercise: its starter, its solution, honest mistakes, and other right answers."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest
from conftest import LAB, on_host
from test_sandbox import Kernel

import labsetup
from labsetup import (
    LabError,
    Program,
    cpus,
    diary,
    ecmp,
    exercises,
    moved,
    next_hops,
    no_balancer,
    practice,
    predictions,
    random_flows,
)
from labsetup.exercises import LESSONS, ex_8_1, find
from labsetup.practice import Hint, check, hint, judge

EVERY = list(exercises.every().values())
NEAR = [(e.id, kind) for e in EVERY for kind in e.near_misses]
OTHER = [(e.id, kind) for e in EVERY for kind in e.alternatives]


@pytest.fixture(autouse=True)
def _fresh_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@cache
def replies(exercise):
    """What the check says to every answer in its file, several at a time."""
    answers = {"starter": exercise.starter, "solution": exercise.solution}
    answers |= {kind: exercise.answer(given) for kind, (given, _) in exercise.near_misses.items()}
    answers |= {kind: exercise.answer(given) for kind, given in exercise.alternatives.items()}
    with ThreadPoolExecutor(len(cpus())) as threads:
        told = threads.map(lambda answer: judge(exercise, answer), answers.values())
        return dict(zip(answers, told, strict=True))


def said(reply) -> str:
    """All a reply says, in one line."""
    return re.sub(r"\s+", " ", repr(reply))


@pytest.mark.parametrize("exercise", EVERY, ids=lambda e: e.id)
def test_the_starter_fails_as_it_says(exercise):
    reply = replies(exercise)["starter"]
    assert not reply.ok
    assert exercise.starter_says in said(reply), reply


@pytest.mark.parametrize("exercise", EVERY, ids=lambda e: e.id)
def test_the_solution_passes(exercise):
    reply = replies(exercise)["solution"]
    assert reply.ok, reply


@pytest.mark.parametrize(("number", "kind"), NEAR)
def test_an_honest_mistake_is_refused_by_its_symptom(number, kind):
    exercise = find(number)
    words = exercise.near_misses[kind][1]
    reply = replies(exercise)[kind]
    assert not reply.ok
    assert words
    assert words in said(reply), reply


@pytest.mark.parametrize(("number", "kind"), OTHER)
def test_another_right_answer_passes(number, kind):
    exercise = find(number)
    reply = replies(exercise)[kind]
    assert reply.ok, reply


@pytest.mark.parametrize("exercise", EVERY, ids=lambda e: e.id)
def test_an_exercise_is_whole_and_short(exercise):
    assert len(exercise.near_misses) >= 4
    assert len(exercise.alternatives) >= 2
    assert len(exercise.hints) == 3
    assert exercise.lesson in LESSONS
    assert exercise.title
    assert exercise.compare
    assert exercise.next
    assert len(exercise.title) <= 30
    assert len(exercise.markdown.split()) <= 100
    assert len(exercise.starter.splitlines()) <= 30
    assert not set(exercise.near_misses) & set(exercise.alternatives)
    for text in exercise.hints:
        assert len(text.split()) <= 40
    assert "\t" not in exercise.text
    if exercise.suffix == ".py":
        assert exercise.cell.endswith(f'check("{exercise.id}")')
        ast.parse(exercise.cell)
    else:
        assert exercise.cell.startswith(f"%%xdp {exercise.name} --check {exercise.id}\n")


@pytest.mark.parametrize("exercise", EVERY, ids=lambda e: e.id)
def test_no_reply_gives_the_answer_away(exercise):
    """The lines in which the solution and the starter differ are in no thought."""
    secret = {
        line.strip()
        for line in exercise.solution.splitlines()
        if line not in exercise.starter.splitlines()
        and len(line.strip()) > 12
        and "struct xdp_md" not in line  # how any program begins is no secret
    }
    told = said(replies(exercise)["starter"])
    assert not [line for line in secret if line in told]


def test_they_are_numbered_through_and_have_names_of_their_own():
    for lesson in LESSONS:
        numbers = [int(e.id.split(".")[1]) for e in EVERY if e.lesson == lesson]
        assert numbers == list(range(1, len(numbers) + 1))
    names = [e.name for e in EVERY]
    assert len(set(names)) == len(names)
    assert not set(names) & set(labsetup.__all__)


def test_no_module_stands_in_front_of_a_name():
    """`labsetup.check` is the function also once a module of that name were loaded."""
    folder = Path(labsetup.__file__).parent
    assert not [name for name in labsetup.__all__ if (folder / f"{name}.py").exists()]


def test_what_a_router_moves_is_what_the_exercise_says():
    """8.1, with a router: each change that its check asks about, and 4,000 flows."""
    net = no_balancer(6)
    flows = random_flows(4_000, clients="203.0.113.0/24")
    for what, (before, after) in ex_8_1.CASES.items():
        at = []
        for servers in (before, after):
            ecmp(net, servers)
            at.append(next_hops(net, flows))
        assert abs(moved(*at) - ex_8_1.share(before, after)) < 0.04, what


# The machinery.


def test_check_takes_a_program_a_function_or_a_path(tmp_path):
    program = Program("closed", find("1.1").solution)
    assert check("1.1", program).ok
    assert check("3.2", lambda counters: 0).ok is False
    path = tmp_path / "any.c"
    path.write_text(find("1.1").solution.replace("closed", "any"))
    assert check("1.1", str(path)).ok
    assert check("1.1", path).ok


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("9.9",), "there is no exercise 9.9"),
        (("2.99",), "lesson 2 has 2.1, 2.2, 2.3"),
        (("1.1",), "there is no closed yet: run the cell that begins with %%xdp closed"),
        (("3.2",), "def packets(...)"),
        (("1.1", "nowhere.c"), "there is no file nowhere.c"),
        (("1.1", 7), "not int"),
    ],
)
def test_what_cannot_be_checked_is_said_in_a_sentence(arguments, sentence):
    with pytest.raises(LabError) as caught:
        check(*arguments)
    assert sentence in str(caught.value)


def test_a_check_leaves_network_and_counts_alone(net):
    program = Program("load", find("3.1").solution)
    program.attach(net.server.eth0)
    assert check("3.1", program).ok
    assert program["frame_bytes"][0].sum == 0
    assert check("1.3", lambda net: net.middle.eth0).ok
    assert net.client.ping(net.server, count=1).received == 1


def test_an_interrupted_check_is_a_sentence_and_no_try(interruptible):
    def packets(counters):
        while True:
            pass

    timer = threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(LabError, match="interrupted; run it again"):
        check("3.2", packets)
    timer.join()
    assert "◐" not in repr(practice.progress()).splitlines()[2]


def test_a_refusal_comes_with_what_clang_warned_of():
    unasked = find("2.2").starter.replace("ip->ttl == 1", "ip->ttl = 1")
    reply = judge(find("2.2"), unasked)
    assert "warned line" in said(reply) and "assignment as a condition" in said(reply)


def test_answers_that_do_not_end_or_end_everything_are_ended():
    sleepy = judge(find("3.2"), "def packets(counters):\n    while True: pass\n", seconds=0.5)
    assert not sleepy.ok
    assert "no end after 0.5 s" in said(sleepy)
    assert "a loop that never ends" in sleepy.think
    deadly = judge(find("3.2"), "import os\ndef packets(counters):\n    os._exit(0)\n")
    assert not deadly.ok
    assert "it ended the process" in said(deadly)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def other(counters):\n    return 0\n", "it has no function packets"),
        ("def packets(counters)\n", "SyntaxError"),
        ("def packets(counters):\n    return counters['x']\n", "KeyError"),
    ],
)
def test_python_that_fails_is_no_error_of_the_check(source, words):
    reply = judge(find("3.2"), source)
    assert not reply.ok
    assert words in said(reply)


RAISES = {  # the answer to an exercise, and what the reply says of it
    "in the function": (
        "3.2", "def packets(counters):\n\n    return counters.x\n",
        "AttributeError in line 3, «return counters.x»: 'dict' object has no attribute 'x' think "
        "Call it yourself",
    ),
    "further down in the answer": (
        "3.2", "def one(x):\n    return 1 / 0\n\ndef packets(counters):\n    return one(0)\n",
        "ZeroDivisionError in line 2, «return 1 / 0»: division by zero think",
    ),
    "in the lab, called from the answer": (
        "1.3", "def place(net):\n    return net.client.eth1\n",
        "happened line 2, «return net.client.eth1»: client has no interface or method eth1",
    ),
    "where it is called, for it takes nothing": (
        "3.2", "def packets():\n    return 0\n",
        "takes 0 positional arguments but 1 was given think Does it take",
    ),
    "where it is called, for it takes too little": (
        "6.1", "def choose(flow):\n    return flow\n",
        "TypeError: choose() takes 1 positional argument but 2 were given think Does it take",
    ),
    "before it is called": (
        "3.2", "import nothing_of_this_name\n", "ModuleNotFoundError in line 1, «import nothing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", RAISES)
def test_what_an_answer_raises_is_told_with_its_line(kind, tmp_path):
    number, source, words = RAISES[kind]
    path = tmp_path / "mine.py"
    path.write_text(source)
    for answer in (source, path):
        reply = judge(find(number), answer)
        assert not reply.ok
        assert words in said(reply), reply


def test_a_map_that_was_renamed_is_named():
    renamed = find("3.1").solution.replace("frame_bytes", "bytes_of_frames")
    assert "has no map 'frame_bytes'" in said(judge(find("3.1"), renamed))


def test_a_reply_says_the_same_in_html():
    reply = judge(find("1.1"), find("1.1").starter)
    page = reply._repr_mimebundle_()["text/html"]
    for _, text in reply.lines:
        assert text.replace("'", "&#x27;") in page
    assert reply._repr_mimebundle_()["text/plain"] == repr(reply)


def test_the_field_that_differs_is_named():
    source = """
int load(struct xdp_md *ctx)
{
	unsigned char *p = (void *)(long)ctx->data;
	if ((void *)(p + 34) > (void *)(long)ctx->data_end) return XDP_PASS;
	p[22]--;
	return XDP_PASS;
}
BPF_ARRAY(frame_bytes, u64, 1);
"""
    reply = said(judge(find("3.1"), source))
    assert "differs IP ttl: 63, expected 64" in reply
    assert "chksum" not in reply, "it is what it was, and wrong only since the TTL is"


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


def test_a_pass_opens_the_solution():
    assert not hint("1.1").code
    assert check("1.1", Program("closed", find("1.1").solution)).ok
    assert hint("1.1").code
    check("1.1", Program("closed", find("1.1").starter))
    assert hint("1.1").code, "what is done stays done"


def test_progress_is_kept_shown_and_cleared(tmp_path):
    assert "○ 1.1" in repr(practice.progress())
    check("1.1", Program("closed", find("1.1").starter))
    assert "◐ 1.1" in repr(practice.progress())
    check("1.1", Program("closed", find("1.1").solution))
    shown = practice.progress()
    assert re.search(r"^01 Pass +● 1\.1  ○ 1\.2", repr(shown), re.MULTILINE)
    assert "● 1.1" in shown._repr_mimebundle_()["text/html"]
    assert json.loads(diary.place().read_text())["exercises"]["1.1"]["state"] == "done"
    assert [path.name for path in diary.place().parent.iterdir()] == ["progress.json"]
    assert "○ 1.1" in repr(practice.progress(clear=True))
    assert "○ 1.1" in repr(practice.progress())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"exercises": {"1.1": 3}}', '{"version": 1}'])
def test_a_file_that_cannot_be_understood_is_kept_aside(capsys, text):
    diary.place().parent.mkdir(parents=True)
    diary.place().write_text(text)
    hint("1.1")
    assert "could not be understood: it is kept in" in capsys.readouterr().out
    (aside,) = diary.place().parent.glob("*unreadable*")
    assert aside.read_text() == text
    assert "hint 2 of 3" in hint("1.1").title


def test_a_place_that_cannot_be_written_stops_nothing(monkeypatch, capsys):
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    assert isinstance(hint("1.1"), Hint)
    assert "cannot be kept in /proc/nowhere" in capsys.readouterr().out


def test_under_sudo_it_is_the_readers_own(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    owner = diary.pwd.struct_passwd(("reader", "x", 4321, 4321, "", str(home), "/bin/sh"))
    os.chown(home, 4321, 4321)
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("SUDO_USER", "reader")
    monkeypatch.setattr(diary.pwd, "getpwnam", lambda _: owner)
    hint("1.1")
    files = list(home.rglob("*"))
    assert home / ".local" / "state" / "xdp-lab" / "progress.json" in files
    assert {path.stat().st_uid for path in files} == {4321}


TYPED = {
    "20": "you predicted 20 %; the answer: 80 %",
    "2,5 %": "you predicted 2.5 %; the answer",
    "80 %": "you predicted 80 %, and so it is",
    "about 80 percent": "you predicted 80 %, and so it is",
    "1,000": "you predicted 1000 %; the answer",
    "2 or 3": "you predicted 2 or 3; the answer",
    "lots": "you predicted lots; the answer",
}


def test_a_prediction_is_asked_and_revealed():
    guess = predictions.predict("How many of 3 pings arrive?", "none", "all three")
    assert repr(guess) == "How many of 3 pings arrive?\n  none / all three"
    assert repr(guess.reveal("none")) == "the answer: none; you made no prediction"
    guess._box.value = "all three"
    assert repr(guess.reveal("none")) == "you predicted all three; the answer: none"
    assert repr(guess.reveal("all three")) == "you predicted all three, and so it is"
    share = predictions.predict("How many move?", unit="%")
    assert repr(share.reveal(80)) == "the answer: 80 %; you made no prediction"
    for typed, words in TYPED.items():
        share._box.value = typed
        assert words in repr(share.reveal(80))
    with pytest.raises(LabError, match="run the cell with the predict"):
        guess.reveal("two")
    with pytest.raises(LabError, match="at least two answers"):
        predictions.predict("?", "only one")


def test_in_a_notebook():
    kernel = Kernel()

    def run(code):
        return re.sub(r"\s+", " ", kernel.run(code))

    try:
        run("from labsetup import *")
        said = run("%%xdp closed --check 1.1\n" + find("1.1").starter)
        assert "closed: 2 instructions" in said
        assert "1.1 Closed: right" in run(
            "%%xdp closed --check 1.1\n" + find("1.1").solution + "\n"
        ) + run('print(check("1.1"))')
        said = run("%%xdp last_hop --check 2.2\n" + find("2.2").starter)
        assert "proved that 14 bytes" in said
        assert "line 16, «if (ip->ttl == 1)»" in said, "the line of the cell"
        assert "● 1.1 ○ 1.2 ○ 1.3" in run("print(progress())")
        assert "◐ 2.2" in run("print(progress())")
        run(find("1.3").solution)
        assert "1.3 The right end: right" in run('print(check("1.3"))')
        run("def packets(counters):\n\n    return counters.sum\n")
        assert "line 3, «return counters.sum»" in run('print(check("3.2"))')
        assert "%%xdp has to be the first line" in run("# mine\n%%xdp a\nint a;\n")
        assert "looks for packets, and this cell makes mine" in run(
            "def mine(counters):\n    return 0\n\ncheck('3.2')"
        )
        times = []
        for line in ("pass", "print('a word')"):
            begun = time.monotonic()
            run(f"def packets(counters):\n    {line}\n    return 0\n")
            assert ("printed a word" in run('print(check("3.2"))')) == ("print" in line)
            times.append(time.monotonic() - begun)
        assert times[1] < times[0] + 4  # no print waits, 6 s each, for a thread that is not there
        run("net = two_hosts(); closed.attach(net.server.eth0)")
        said = run("%%xdp closed\n" + find("1.1").starter)
        assert "closed from before still runs at server eth0: closed.attach(…) replaces it" in said
        run("closed.attach(net.server.eth0)")
        said = run("%%xdp closed\nint closed(struct xdp_md *ctx)\n{\n\treturn XDP_DORP;\n}\n")
        assert "closed from before still runs at server eth0; closed.detach()" in said
        assert "the last closed was refused" in run('check("1.1")')
        assert run("closed.detach(); print(net.server.eth0.xdp)") == "None "
        run("%%xdp closed\nint closed(struct xdp_md *ctx)\n{\n\treturn XDP_DORP;\n}\n")
        assert "name 'closed' is not defined" in run("closed")
        assert "net is the name of something else here" in run("%%xdp net\nint net;")
        run("place = net.client.eth0")
        assert "place is no function; def place(…): makes one" in run('check("1.3")')
        run("x, data = 1, 2")
        run(
            "%%xdp plain\nint plain(struct xdp_md *ctx)\n{\n\t/* $x {data} {x} */\n\treturn 2;\n}\n"
        )
        assert "$x {data} {x}" in run("print(plain.source)"), "a body is C, and nothing else"
        assert "begins with %%xdp NAME" in run("%%xdp plain --chekc 1.1\nint plain")
        warned = run("%%xdp plain\nint plain(struct xdp_md *ctx)\n{\n}\n")
        assert "clang warns: line 4, «}»: non-void function" in warned or "refused" in warned
    finally:
        kernel.close()


# Without a notebook.


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
    path.write_text(find("2.3").answer(answer))
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
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [e.id for e in EVERY]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("9.9", "x.c"), "there is no exercise 9.9"),
        (("2.1", "nowhere.c"), "there is no file nowhere.c"),
        (("2.1",), "the number of an exercise and a file"),
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
    assert "2 of 5 right" in said.stdout
    assert "skipped" in said.stderr
    assert "notes.py" in said.stderr
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["student"], r["exercise"], r["ok"]) for r in rows] == [
        ("ada", "1.1", "True"), ("ada", "3.2", "True"),
        ("bob", "2.1", "False"), ("bob", "1.1", "False"), ("eve", "3.2", "False"),
    ]  # fmt: skip
    assert "512 bytes" in rows[2]["message"]
    assert "ended the process" in rows[4]["message"]


def test_checks_look_at_what_an_answer_does_not_at_its_text():
    for path in Path(exercises.__file__).parent.glob("ex_*.py"):
        body = path.read_text().partition("def check(")[2]
        assert ".source" not in body
