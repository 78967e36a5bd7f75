"""What labsetup/lab hands over to.  Each verb exits with status 0 only when all is well."""

from __future__ import annotations

import os
import shlex
import signal
import sys

from .. import streams
from ..errors import LabError
from ..network import lifetime
from . import authoring, doctor, export, marking, notebooks, packet, shell, site, start, testing
from .places import give_back, keep_settings, say
from .verbs import Misused, Verbs

VERBS = (start, testing, notebooks, shell, packet, export, marking, doctor, authoring, site)


# They touch neither the network nor the kernel.
UNPRIVILEGED = {"doctor", "new", "sync", "restore", "site"}

# They start what has namespaces of its own, or nothing.
UNCONFINED = {"start", "restore", "shell", "new", "site", "sync"}


def main() -> int:
    """Do what the command line says, and see whether it could be told."""
    status = 1
    try:
        status = _status(sys.argv[1:])
        sys.stdout.flush()
    except streams.StdoutBroken as broken:
        streams.give_up_stdout()
        if broken.unread:
            status = 128 + signal.SIGPIPE
        else:
            status = status or 1
            say(f"lab: {broken}")
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    ended = lifetime.status_of_end() or status
    if not lifetime.told_by_another() and (sentence := lifetime.sentence(ended)):
        say(sentence)
    return ended


def _status(words: list[str]) -> int:
    """The same, and a sentence where it does not work."""
    try:
        return _do(words)
    except LabError as error:
        if not lifetime.status_of_end():  # which may have come in any guise
            say(f"lab: {error}")
        return 2 if isinstance(error, Misused) else 1
    except SystemExit as over:  # argparse's, as after --help
        return int(over.code or 0)


def _do(words: list[str]) -> int:
    """Parse the command line and do what it says.

    Raises:
        LabError: when that does not work.
        StdoutBroken: when stdout does not.
    """
    verbs = Verbs()
    for one in VERBS:
        one.add(verbs)
    # What stands after -- belongs to another program, whatever it looks like.
    cut = words.index("--") if "--" in words else len(words)
    arguments = verbs.parser.parse_args(words[:cut])
    arguments.theirs = words[cut + 1 :]
    if arguments.theirs and not arguments.takes_theirs:
        theirs = " ".join(arguments.theirs)
        raise Misused(f"{arguments.verb} takes nothing behind --; leave out: -- {theirs}")
    lifetime.end_at_signals()
    if os.geteuid() != 0 and arguments.verb not in UNPRIVILEGED:
        raise LabError(f"the lab needs root; type: sudo labsetup/lab {shlex.join(words)}")
    if os.geteuid() == 0 and arguments.verb not in UNCONFINED:
        lifetime.become_init(give_back)
        keep_settings()
    try:
        return int(arguments.action(arguments))
    finally:
        if arguments.verb in UNCONFINED:  # the others have an init that does it
            give_back()
