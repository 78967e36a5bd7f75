"""lab check: an answer to an exercise, or a whole class's."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..errors import LabError
from .places import say
from .verbs import Verbs

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
Nothing of it is recorded: progress is made in notebooks."""


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    added = verbs.add(
        "check",
        check,
        "try an answer to an exercise on packets, or a whole class's",
        usage="labsetup/lab check [-h] EXERCISE FILE [--json] | --list | --all DIR [--csv OUT]",
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
    # The reader's own progress is made in notebooks, not by a teacher's evening.
    from ..practice import exercise as exercises
    from ..practice import submissions
    from ..practice.judge import judge

    if arguments.list:
        for one in exercises.every().values():
            print(f"{one.id:5} {one.name + one.suffix:18} {one.title}")
        return 0
    try:
        if arguments.all:
            found = submissions.find(arguments.all)
        elif arguments.exercise and arguments.file:
            exercise = exercises.find(arguments.exercise)
            if not arguments.file.is_file():
                raise LabError(f"there is no file {arguments.file}; check the path")
            answer = submissions.text_of(arguments.file, links=True)
        else:
            raise LabError("check takes the number of an exercise and a file, or --list, or --all")
    except LabError as error:
        say(f"lab: {error}")
        return 2
    if arguments.all:
        return 0 if submissions.mark(found, arguments.csv) else 1
    reply = judge(exercise, answer, strangers=True)
    print(json.dumps(submissions.as_dict(reply), indent=2) if arguments.json else reply)
    return 0 if reply.ok else 1
