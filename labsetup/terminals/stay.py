"""A terminal that goes along with a notebook: into its network, and into the next one.

this process    outside: it sees when a network goes, and when another is there
  └─ a stay     as many as are needed, one after the other: lifetime.run_until_end
       └─ bash  inside; before each prompt it looks whether its host is still there (prompt.bash)
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from ..errors import LabError
from ..network.lifetime import run_until_end
from ..network.process import MARK, kill_marked
from ..network.sandbox import NETNS
from .running import REPO, Running

BASH = ["bash", "--norc", "--noprofile"]
PROMPT = Path(__file__).with_name("prompt.bash")
LOOK = 0.5  # seconds from a look at the network to the next
ENDING = 1.0  # seconds that a notebook's process may take to end after a shell in it was killed
TERMINAL = 0

WAITING = "waiting for a network: run the cell that makes it (Ctrl-C: wait no longer)"

Find = Callable[[], Running | None]


def say(text: str) -> None:
    """A sentence between the lines of a terminal."""
    with contextlib.suppress(OSError):  # the terminal may be closed
        print(f"lab: {text}", file=sys.stderr, flush=True)


def surroundings(inside: Running | None) -> dict[str, str]:
    """What bash is given: where it is, for its prompt.

    Args:
        inside: the notebook; None outside of all.
    """
    kept = os.environ.get("JUPYTER_DATA_DIR")
    history = {"HISTFILE": f"{kept}/bash_history"} if kept else {}
    prompt = f". {shlex.quote(str(PROMPT))}"
    path = f"{os.environ['PATH']}:{REPO / 'labsetup'}"  # so that «lab shell client» does, anywhere
    place = {"XDP_LAB_NAME": inside.name if inside else "", "XDP_LAB_HOST": "", "PATH": path}
    if inside:
        place["XDP_LAB_AROUND"] = str(inside.around().stat().st_ino)
    return {**place, "PROMPT_COMMAND": prompt, **history}


def stay_with(
    find: Find,
    host: str | None = None,
    first: Running | None = None,
    waiting: str = WAITING,
) -> int:
    """Be inside until the shell is left; where the network goes, go into the one that comes.

    Args:
        find: gives the notebook to be in, one that has a network; None while there is none.
        host: the host to be on; None for what all of them are in.
        first: the notebook to begin with, whether it has a network or not.
        waiting: what is said while there is none.

    Returns:
        the shell's exit status.

    Raises:
        LabError: when JupyterLab has ended.
    """
    settings = termios.tcgetattr(TERMINAL)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # to take the terminal back from a dead shell
    now = first
    while True:
        now = now or _wait(find, host, waiting)
        if host:
            say(f"you are on {host} of {now.name}")
        else:
            say(f"you are in the network of {now.name}; {_hosts(now)}")
        with _taking_back(settings):
            status = _stay(now, host, find)
        if status is not None and not _has_gone(now, status):
            return status
        if status is not None:
            print(file=sys.stderr)
            say(f"{now.name} has ended or begun anew, and this shell with it")
        now = None


def _has_gone(inside: Running, status: int) -> bool:
    """Whether a notebook has ended, and its shell with it; which of them first, nobody knows."""
    end = time.monotonic() + (ENDING if status == 128 + signal.SIGKILL else 0)
    while inside.is_there and time.monotonic() < end:
        time.sleep(0.02)  # paces the look; who is ending tells nobody
    return not inside.is_there


def _hosts(inside: Running) -> str:
    """What can be typed now."""
    hosts = inside.hosts() if inside.is_there else []
    if not hosts:
        return "it has no hosts yet"
    return f"hosts: {', '.join(hosts)}; «lab shell {hosts[0]}» goes to one"


def _wait(find: Find, host: str | None, waiting: str) -> Running:
    """Until there is a network to be in."""
    while True:
        with contextlib.suppress(LabError):  # it ended while we looked, or is still at it
            if (found := find()) and (there := found.hosts()) and (not host or host in there):
                return found
        if waiting:
            say(waiting)
            waiting = ""
        time.sleep(LOOK)  # paces the look; a notebook tells nobody


@contextlib.contextmanager
def _taking_back(settings: list[object]) -> Iterator[None]:
    """A shell that was killed leaves the terminal to nobody, and as it had it for typing."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the shell's
    try:
        yield
    finally:
        with contextlib.suppress(OSError, termios.error):
            os.tcsetpgrp(TERMINAL, os.getpgrp())
            termios.tcsetattr(TERMINAL, termios.TCSADRAIN, settings)  # type: ignore[arg-type]  # as tcgetattr gave them
        signal.signal(signal.SIGINT, before)


def _stay(inside: Running, host: str | None, find: Find) -> int | None:
    """One shell in one network.

    Returns:
        its exit status; None when it was left for another notebook's network.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        _be_inside(inside, host)
    network, left = inside.network(), False
    try:
        while True:
            reaped, code = os.waitpid(child, os.WNOHANG)
            if reaped:
                status = os.waitstatus_to_exitcode(code)
                return None if left else status if status >= 0 else 128 - status
            if signal.sigtimedwait({signal.SIGCHLD}, LOOK):
                continue
            if (at := inside.network()) and at != network:
                network = at
                _tell_of_new(inside)
            other = find()
            if other and other != inside and (shell := _idle(child)):
                left = True
                print(file=sys.stderr)
                os.kill(shell, signal.SIGKILL)  # at another signal it would speak of it
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(child, signal.SIGHUP)
            os.waitpid(child, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _be_inside(inside: Running, host: str | None) -> NoReturn:
    """In a child of this process: become what sees to a shell inside."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        mark = f"shell-{os.getpid()}-{time.monotonic_ns()}"
        before, enter = inside.entrance(host)
        environment = {MARK: mark, **surroundings(inside)}

        def begin() -> None:
            enter()
            os.environ.update(environment)

        run_until_end(
            BASH, signal.SIGHUP, begin, lambda: kill_marked(mark), before, own_terminal=True
        )
    except LabError as error:
        say(str(error))
    finally:
        os._exit(1)


def _foreground() -> int:
    """The process group that the terminal is with."""
    with contextlib.suppress(OSError):
        return os.tcgetpgrp(TERMINAL)
    return 0


def _idle(child: int) -> int:
    """The shell's process number, when it waits for a command; else 0."""
    shell = _foreground()
    with contextlib.suppress(OSError):
        if int(Path(f"/proc/{shell}/stat").read_text().rpartition(")")[2].split()[1]) == child:
            return shell
    return 0


def _tell_of_new(inside: Running) -> None:
    """Have the shell look where it is, and say what a command in the old network cannot."""
    front = _foreground()
    if not front:
        return
    with contextlib.suppress(OSError, LabError):
        place = os.stat(f"/proc/{front}/ns/net").st_ino
        kept = {inside.around().stat().st_ino, *dict(inside.network()).values()}
        if Path(f"/proc/{front}/comm").read_text() != "bash\n" and place not in kept:
            print(file=sys.stderr)
            say(f"the network of {inside.name} was made anew; this command is in the old one")
        os.killpg(front, signal.SIGWINCH)  # ignored where nobody waits for it: signal(7)


def go_to(here: Running, host: str | None, command: list[str]) -> NoReturn:
    """From inside of a network: become a shell, or a command, on one of its hosts.

    Raises:
        LabError: when there is no such host.
    """
    if host and host not in here.hosts():
        has = ", ".join(here.hosts()) or "none yet; run the cell that makes the network"
        raise LabError(f"{here.name} has no host {host}; its hosts: {has}")
    net = f"/proc/{here.pid}/root{NETNS}/{host}" if host else here.around()
    words = ["nsenter", f"--net={net}", "--", *(command or BASH)]
    os.execvp(words[0], words)
