"""lab shell: a terminal, or one command, inside a running notebook's network."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from ..errors import LabError
from ..network.running import Running, running
from .places import say
from .verbs import Verbs


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    added = verbs.add(
        "shell",
        shell,
        "a terminal, or one command, inside a running notebook's network",
        usage="labsetup/lab shell [-h] [--notebook NN] [HOST] [-- COMMAND ...]",
    )
    added.add_argument("host", metavar="HOST", nargs="?", help="the host to be on, such as client")
    added.add_argument("--notebook", metavar="NN", help="which one, if several notebooks run")


def shell(arguments: argparse.Namespace) -> int:
    """Open a terminal, or run a command, in the network of a running notebook."""
    found = running()
    if not found:
        raise LabError("no notebook of the lab is running; open one and run its first cells")
    if arguments.notebook:
        found = [one for one in found if one.name.startswith(arguments.notebook)] or found
    chosen = found[0] if len(found) == 1 else _choose(found)
    entry = ["nsenter", "-t", str(chosen.pid), "--mount", "--pid", "--root"]
    if arguments.host:
        if arguments.host not in chosen.hosts():
            has = ", ".join(chosen.hosts()) or "none yet; run the cell that makes the network"
            raise LabError(f"{chosen.name} has no host {arguments.host}; its hosts: {has}")
        entry.append(f"--net=/proc/{chosen.pid}/root/run/netns/{arguments.host}")
    else:
        entry.append("--net")
    command = arguments.theirs
    if not command:
        prompt = f"{chosen.name}{':' + arguments.host if arguments.host else ''}# "
        command = ["env", f"PS1={prompt}", "bash", "--norc", "--noprofile"]
        say(
            f"You are {'on ' + arguments.host if arguments.host else 'in the network'} of "
            f"{chosen.name}; hosts: {', '.join(chosen.hosts()) or 'none yet'}. «exit» leaves."
        )
    return subprocess.run(
        [*entry, "--", "env", f"--chdir={os.getcwd()}", *command], check=False
    ).returncode


def _choose(found: Sequence[Running]) -> Running:
    for number, one in enumerate(found, 1):
        say(f"{number}  {one.name}  (hosts: {', '.join(one.hosts()) or 'none yet'})")
    if not sys.stdin.isatty():
        raise LabError("several notebooks run; say which with --notebook, such as --notebook 02")
    while True:
        answer = input("Which one? ")
        if answer.isdigit() and 1 <= int(answer) <= len(found):
            return found[int(answer) - 1]
