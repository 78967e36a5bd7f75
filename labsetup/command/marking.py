"""lab check: an answer to an exercise, or a whole class's."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..errors import LabError
from .places import say
from .verbs import Misused, Verbs

EPILOG = """\
DIR has a folder for each student with their answers, named by number or by name:
    DIR/ada/2.1.c  DIR/ada/3.2.py  DIR/grace/no_arp.c
The answers may be strangers'. Their Python runs as nobody, with no network, no other process, no
file of yours or of other students, 20 seconds and 1 GiB of memory; clang reads their C in such a
place, with BPF alone, and the verifier bounds what it makes. Links are not followed.
What stays a teacher's risk: a fault in the kernel, above all in its verifier, which C could be
made for; what is learned of this machine by timing it; a busy machine for 20 seconds an answer;
and what no check can see, as an answer that was copied, or that was made for the check's packets.
Those whom you would not let log in, mark on a virtual machine that you then throw away.
Whoever handed in nothing, and each file that looks like an answer and is not marked, has a row as
well, with the reason. OUT is never written over anything but an earlier table, nor into DIR.
Nothing of it is recorded: progress is made in notebooks."""

USAGE = "labsetup/lab check [-h] EXERCISE FILE | --list | --all DIR [--csv OUT], each with [--json]"


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    added = verbs.add(
        "check",
        check,
        "try an answer to an exercise on packets, or a whole class's",
        usage=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EPILOG,
    )
    added.add_argument("exercise", metavar="EXERCISE", nargs="?", help="its number, such as 2.1")
    added.add_argument("file", metavar="FILE", nargs="?", type=Path, help="the answer")
    added.add_argument("--json", action="store_true", help="print one JSON document")
    added.add_argument("--list", action="store_true", help="list all exercises")
    added.add_argument("--all", metavar="DIR", type=Path, help="a folder of submissions")
    added.add_argument("--csv", metavar="OUT", type=Path, help="write a row a submission here")


def check(arguments: argparse.Namespace) -> int:
    """Try answers to exercises on packets."""
    _refuse_contradictions(arguments)
    # The reader's own progress is made in notebooks, not by a teacher's evening.
    from ..marking import collected
    from ..practice import exercise as exercises

    if arguments.list:
        print(collected.exercises_as(arguments.json))
        return 0
    from ..marking import submissions
    from ..practice.judge import judge

    try:
        if arguments.all:
            found = collected.find(arguments.all)
            if arguments.csv:
                submissions.refuse_to_lose(arguments.csv, arguments.all, found)
        else:
            exercise = exercises.find(arguments.exercise)
            answer = submissions.text_of_named(arguments.file)
    except LabError as error:
        raise Misused(str(error)) from None
    if arguments.all:
        for sentence in submissions.remarks(found):
            say(sentence)
        if not any(one.student and one.file for one in found):  # no class, but another folder
            where = arguments.all
            raise Misused(f"{where} has no answers; they are named like {where}/ada/2.1.c")
        return 0 if submissions.mark(found, arguments.csv, arguments.json) else 1
    reply = judge(exercise, answer, strangers=True)
    print(json.dumps(submissions.as_dict(reply), indent=2) if arguments.json else reply)
    return 0 if reply.ok else 1


def _refuse_contradictions(arguments: argparse.Namespace) -> None:
    one = " ".join(str(word) for word in (arguments.exercise, arguments.file) if word)
    if arguments.list and (arguments.all or arguments.csv or one):
        raise Misused("--list lists all exercises; beside it only --json has a meaning")
    if arguments.all and one:
        raise Misused(f"--all marks a whole folder; leave out either that or {one}")
    if arguments.csv and not arguments.all:
        raise Misused("--csv writes a class's table; type: labsetup/lab check --all DIR --csv OUT")
    if not (arguments.list or arguments.all or (arguments.exercise and arguments.file)):
        raise Misused("check takes the number of an exercise and a file, or --list, or --all")
