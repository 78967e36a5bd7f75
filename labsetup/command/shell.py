"""lab shell: a terminal, or one command, inside a running notebook's network."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence

from ..errors import LabError
from ..network.lifetime import run_until_end
from ..network.process import MARK, kill_marked
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
    added.add_argument(
        "--notebook",
        metavar="NN",
        help="which one, if several run: 02, or the number of its process",
    )


def shell(arguments: argparse.Namespace) -> int:
    """Open a terminal, or run a command, in the network of a running notebook."""
    found = running()
    if not found:
        raise LabError("no notebook of the lab is running; open one and run its first cells")
    chosen = _chosen(found, arguments.notebook)
    if arguments.host and arguments.host not in chosen.hosts():
        has = ", ".join(chosen.hosts()) or "none yet; run the cell that makes the network"
        raise LabError(f"{chosen.name} has no host {arguments.host}; its hosts: {has}")
    command = arguments.theirs
    mark = f"shell-{os.getpid()}-{time.monotonic_ns()}"
    environment = {MARK: mark}
    if not command:
        environment["PS1"] = f"{chosen.name}{':' + arguments.host if arguments.host else ''}# "
        command = ["bash", "--norc", "--noprofile"]
        say(
            f"You are {'on ' + arguments.host if arguments.host else 'in the network'} of "
            f"{chosen.name}; hosts: {', '.join(chosen.hosts()) or 'none yet'}. «exit» leaves."
        )
    before, enter = chosen.entrance(arguments.host)

    def begin() -> None:
        enter()
        os.environ.update(environment)

    run_until_end(
        command, signal.SIGHUP, begin, lambda: kill_marked(mark), before, own_terminal=True
    )


def _chosen(found: Sequence[Running], notebook: str | None) -> Running:
    """The one that is meant: named by the beginning of its name, or by its process."""
    fits = [one for one in found if notebook is None or one.name.startswith(notebook)]
    fits = fits or [one for one in found if str(one.pid) == notebook]
    if not fits:
        running = ", ".join(one.name for one in found)
        raise LabError(f"no notebook {notebook} is running; there are: {running}")
    return fits[0] if len(fits) == 1 else _choose(fits)


def _choose(found: Sequence[Running]) -> Running:
    for one in found:
        say(f"{one.pid:8}  {one.name}  (hosts: {', '.join(one.hosts()) or 'none yet'})")
    if not sys.stdin.isatty():
        raise LabError(
            f"several notebooks run; say which with --notebook, such as --notebook {found[-1].pid}"
        )
    while True:
        try:
            answer = input("Which one? The number in front: ")
        except EOFError:
            raise LabError("none was chosen") from None
        if chosen := [one for one in found if str(one.pid) == answer.strip()]:
            return chosen[0]
