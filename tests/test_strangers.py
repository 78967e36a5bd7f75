"""A stranger's Python answer: judged as the reader's own is, from a place without power."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest
from support.host import REPO
from support.replies import said

from labsetup import cpus
from labsetup.practice.exercise import every, find
from labsetup.practice.judge import judge
from labsetup.strangers.stranger import SCENES

PYTHON = [one.id for one in every().values() if one.suffix == ".py"]
LOOKS = (
    "who looks for himself",
    "who asks every server",
)  # a notebook has a network; a file has none


@cache
def answers(number):
    """Every answer of an exercise, with words of its reply; None where it is right."""
    exercise = find(number)
    found: dict[str, tuple[str, str | None]] = {
        "starter": (exercise.starter, exercise.starter_says)
    }
    found["solution"] = exercise.solution, None
    found |= exercise.near_misses
    return found | {kind: (text, None) for kind, text in exercise.alternatives.items()}


@cache
def replies(number):
    with ThreadPoolExecutor(len(cpus())) as threads:
        texts = [text for text, _ in answers(number).values()]
        told = threads.map(lambda text: judge(find(number), text, 60, strangers=True), texts)
        return dict(zip(answers(number), told, strict=True))


@pytest.mark.parametrize(
    ("number", "kind"), [(number, kind) for number in PYTHON for kind in answers(number)]
)
def test_every_answer_is_judged_as_it_would_be_in_a_notebook(number, kind):
    _, words = answers(number)[kind]
    reply = replies(number)[kind]
    if any(one in kind for one in LOOKS):
        assert "tried without a network" in said(reply)
    elif words is None:
        assert reply.ok, reply
    else:
        assert not reply.ok
        assert words in said(reply), reply


def test_a_stranger_sees_each_module_that_a_reader_imports_from_a_lesson() -> None:
    stub = (REPO / "labsetup" / "__init__.pyi").read_text()
    named = set(re.findall(r"from \.lessons\.\w+\.(\w+) import", stub))
    assert named and {f"{name}.py" for name in named} <= set(SCENES)


IMPORTS = {
    "from labsetup import *": 'check("{0}")',
    "from labsetup import check, mixed, seed_of": 'check("{0}")',
    "import labsetup": 'labsetup.check("{0}")',
    "import labsetup as lab\nfrom labsetup import *": 'lab.check("{0}", {1})',
}


@pytest.mark.parametrize("number", ["3.2", "6.1"])
@pytest.mark.parametrize("line", IMPORTS)
def test_an_answer_may_import_and_check_itself_as_in_a_notebook(line, number):
    exercise = find(number)
    again = IMPORTS[line].format(number, exercise.name)
    reply = judge(exercise, f"{line}\n{exercise.solution}\n{again}\n", strangers=True)
    assert reply.ok, reply


def test_what_wants_the_lessons_is_told_that_there_are_none():
    answer = f'from labsetup import *\n{find("3.2").solution}\nhint("3.2")\n'
    reply = judge(find("3.2"), answer, strangers=True)
    assert "tried without the exercises" in said(reply)


def test_who_never_ends_is_told_how_long_it_took(monkeypatch):
    monkeypatch.setattr("labsetup.apart.crowding", lambda: 2.0)
    for strangers in (False, True):
        reply = judge(find("3.2"), "def packets(c):\n    while True: pass", 1, strangers)
        found = re.search(r"no end after (\d+) s", said(reply))
        assert found and int(found[1]) >= 2  # and not the second that it has on a quiet machine
        assert "a loop that never ends" in said(reply)
