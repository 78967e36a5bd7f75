"""Every exercise: its starter, its solution, honest mistakes, and other right answers."""

from __future__ import annotations

import ast
import re
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest
from support.replies import said

import labsetup
from labsetup import cpus, ecmp, moved, next_hops, no_balancer, random_flows
from labsetup.compiling.clang import is_libbpfs
from labsetup.lessons.lesson_08_without_a_load_balancer.ex_8_1_router_moves.check import (
    CASES,
    share,
)
from labsetup.practice.exercise import LESSONS, every, find
from labsetup.practice.judge import judge

EVERY = list(every().values())
NEAR = [(exercise.id, kind) for exercise in EVERY for kind in exercise.near_misses]
OTHER = [(exercise.id, kind) for exercise in EVERY for kind in exercise.alternatives]

BY_ITS_CLANG = {"asked at the right place, written at a fixed one"}
RACES = {  # mistakes that show where there are several CPUs
    "one counter for all CPUs",
    "one count for all CPUs",
    "a hash that all CPUs share",
    "a count for each CPU",
    "three steps",
    "one number for all CPUs",
    "the addition in three steps",
    "an addition of three steps for a variable",
    "the switch asked twice",
    "one number for all CPUs, in three steps",
    "a switch that is turned",
    "added in one step, and decided by what stands there then",
    "the same, asked before it is added",
}


@cache
def replies(exercise):
    """What the check says to every answer in its folder, several at a time."""
    answers = {"starter": exercise.starter, "solution": exercise.solution}
    answers |= {kind: text for kind, (text, _) in exercise.near_misses.items()}
    answers |= exercise.alternatives
    with ThreadPoolExecutor(len(cpus())) as threads:
        told = threads.map(lambda answer: judge(exercise, answer), answers.values())
        return dict(zip(answers, told, strict=True))


def refused(reply, words):
    """Fail with the reply as its author reads it best, unless it refuses in these words."""
    if reply.ok or words not in said(reply):
        pytest.fail(f"wanted «{words}» in:\n{reply}", pytrace=False)


@pytest.mark.parametrize("exercise", EVERY, ids=lambda exercise: exercise.id)
def test_the_starter_fails_as_it_says(exercise):
    reply = replies(exercise)["starter"]
    refused(reply, exercise.starter_says)


@pytest.mark.parametrize("exercise", EVERY, ids=lambda exercise: exercise.id)
def test_the_solution_passes(exercise):
    reply = replies(exercise)["solution"]
    assert reply.ok, reply


@pytest.mark.parametrize(("number", "kind"), NEAR)
def test_an_honest_mistake_is_refused_by_its_symptom(number, kind):
    if kind in RACES and len(cpus()) == 1:
        pytest.skip("with one CPU it is none")
    exercise = find(number)
    _, words = exercise.near_misses[kind]
    reply = replies(exercise)[kind]
    if kind in BY_ITS_CLANG and "the verifier refused" in str(reply):
        pytest.skip("clang 19 takes one check for another here, and the verifier refuses that")
    refused(reply, words)


@pytest.mark.parametrize(("number", "kind"), OTHER)
def test_another_right_answer_passes(number, kind):
    exercise = find(number)
    reply = replies(exercise)[kind]
    assert reply.ok, reply


@pytest.mark.parametrize("exercise", EVERY, ids=lambda exercise: exercise.id)
def test_an_exercise_is_whole_and_short(exercise):
    assert len(exercise.near_misses) >= 4
    assert len(exercise.alternatives) >= 2
    assert exercise.lesson in LESSONS
    assert len(exercise.title) <= 30
    assert len(exercise.markdown.split()) <= 100
    # libbpf's C has five headers, six lines for a map, and a licence, which BCC brings by itself.
    assert len(exercise.starter.splitlines()) <= (55 if is_libbpfs(exercise.starter) else 30)
    assert not set(exercise.near_misses) & set(exercise.alternatives)
    for text in exercise.hints:
        assert len(text.split()) <= 40
    assert "\t" not in exercise.text
    if exercise.suffix == ".py":
        assert exercise.cell.endswith(f'check("{exercise.id}")')
        ast.parse(exercise.cell)
    else:
        assert exercise.cell.startswith(f"%%xdp {exercise.name} --check {exercise.id}\n")


@pytest.mark.parametrize("exercise", EVERY, ids=lambda exercise: exercise.id)
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


@pytest.mark.parametrize("exercise", EVERY, ids=lambda exercise: exercise.id)
def test_a_check_looks_at_what_an_answer_does_not_at_its_text(exercise):
    text = (exercise.folder / "check.py").read_text()
    assert not re.search(r"\b(program|answer|balancer)\.source\b", text)


def test_they_are_numbered_through_and_have_names_of_their_own():
    for lesson in LESSONS:
        numbers = [int(one.id.split(".")[1]) for one in EVERY if one.lesson == lesson]
        assert numbers == list(range(1, len(numbers) + 1))
    names = [exercise.name for exercise in EVERY]
    assert len(set(names)) == len(names)
    assert not set(names) & set(dir(labsetup))


def test_what_a_router_moves_is_what_the_exercise_says():
    """8.1, with a router: each change that its check asks about, and 4,000 flows."""
    net = no_balancer(6)
    flows = random_flows(4_000, clients="203.0.113.0/24")
    for what, (before, after) in CASES.items():
        at = []
        for servers in (before, after):
            ecmp(net, servers)
            at.append(next_hops(net, flows))
        assert abs(moved(*at) - share(before, after)) < 0.04, what
