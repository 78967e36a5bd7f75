"""lab shell: a terminal, or one command, inside a running notebook's network."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from ..errors import LabError
from ..network.lifetime import run_until_end
from ..network.process import MARK, kill_marked
from ..terminals.running import Running, around_here, running
from ..terminals.stay import BASH, go_to, stay_with, surroundings
from .places import say
from .verbs import Verbs


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    added = verbs.add(
        "shell",
        shell,
        "a terminal, or one command, inside a running notebook's network",
        theirs=True,
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
    host, command = arguments.host, arguments.theirs
    if here := around_here():
        _from_inside(here, arguments)
    server = int(os.environ.get("XDP_LAB_SERVER", "0")) or None
    found = running(server)
    if not found:
        raise LabError("no notebook of the lab is running; open one and run its first cells")
    chosen = _chosen(found, arguments.notebook)
    if host and host not in chosen.hosts():
        has = ", ".join(chosen.hosts()) or "none yet; run the cell that makes the network"
        raise LabError(f"{chosen.name} has no host {host}; its hosts: {has}")
    if not command and sys.stdin.isatty():
        return stay_with(lambda: _again(chosen), host, chosen)
    mark = f"shell-{os.getpid()}-{time.monotonic_ns()}"
    before, enter = chosen.entrance(host)
    environment = {MARK: mark, **surroundings(chosen)}

    def begin() -> None:
        enter()
        os.environ.update(environment)

    run_until_end(
        command or BASH,
        signal.SIGHUP,
        begin,
        lambda: kill_marked(mark),
        before,
        own_terminal=True,
    )


def _from_inside(here: Running, arguments: argparse.Namespace) -> NoReturn:
    """From a terminal that is in a network already: to one of its hosts, and nowhere else.

    Raises:
        LabError: from there no other notebook can be seen, and this one it is in already.
    """
    if arguments.notebook and not here.name.startswith(arguments.notebook):
        raise LabError(
            f"this terminal is in the network of {here.name}, and sees no other; "
            "type exit first, or open another terminal"
        )
    if not (arguments.host or arguments.theirs):
        hosts = here.hosts()
        raise LabError(
            f"this terminal is in the network of {here.name} already; its hosts: "
            f"{', '.join(hosts) or 'none yet; run the cell that makes the network'}"
        )
    go_to(here, arguments.host, arguments.theirs)


def _again(chosen: Running) -> Running | None:
    """The same notebook, or what runs in its place after its kernel was restarted.

    Raises:
        LabError: when its JupyterLab has ended, so that none can come.
    """
    if chosen.is_there:
        return chosen
    if chosen.server and not Path(f"/proc/{chosen.server}").exists():
        raise LabError(f"JupyterLab has ended, and {chosen.name} with it")
    same = [one for one in running(chosen.server) if one.name == chosen.name and one.made()]
    return same[0] if same else None


def _chosen(found: Sequence[Running], notebook: str | None) -> Running:
    """The one that is meant: by the beginning of its name, its process, or its having a network."""
    fits = [one for one in found if notebook is None or one.name.startswith(notebook)]
    fits = fits or [one for one in found if str(one.pid) == notebook]
    if not fits:
        running = ", ".join(one.name for one in found)
        raise LabError(f"no notebook {notebook} is running; there are: {running}")
    fits = [one for one in fits if one.made()] or fits
    return fits[0] if len(fits) == 1 else _choose(fits)


def _choose(found: Sequence[Running]) -> Running:
    """Of several, those with a network first, as it was made; Enter takes the first."""
    found = sorted(found, key=Running.made, reverse=True)
    for one in found:
        say(f"{one.pid:8}  {one.name}  (hosts: {', '.join(one.hosts()) or 'none yet'})")
    if not sys.stdin.isatty():
        raise LabError(
            f"several notebooks run; say which with --notebook, such as --notebook {found[0].pid}"
        )
    while True:
        try:
            answer = input(f"Which one? The number in front, or Enter for {found[0].name}: ")
        except EOFError:
            raise LabError("none was chosen") from None
        if chosen := [one for one in found if answer.strip() in (str(one.pid), "")]:
            return chosen[0]
