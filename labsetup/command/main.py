"""What labsetup/lab hands over to.  Each verb exits with status 0 only when all is well."""

from __future__ import annotations

import os
import signal
import sys

from ..errors import LabError
from ..network import lifetime
from . import authoring, doctor, export, marking, notebooks, packet, shell, site, start, testing
from .places import give_back, keep_settings, say
from .verbs import Verbs

VERBS = (start, testing, notebooks, shell, packet, export, marking, doctor, authoring, site)


# They touch neither the network nor the kernel.
UNPRIVILEGED = {"doctor", "new", "sync", "restore", "site"}

# They start what has namespaces of its own, or nothing.
UNCONFINED = {"start", "restore", "shell", "new", "site", "sync"}


def main() -> int:
    """Parse the command line and do what it says."""
    verbs = Verbs()
    for one in VERBS:
        one.add(verbs)
    words = sys.argv[1:]
    # What stands after -- belongs to another program, whatever it looks like.
    cut = words.index("--") if "--" in words else len(words)
    arguments = verbs.parser.parse_args(words[:cut])
    arguments.theirs = words[cut + 1 :]
    status = 1
    try:
        lifetime.end_at_signals()
        if os.geteuid() != 0 and arguments.verb not in UNPRIVILEGED:
            raise LabError(f"the lab needs root; type: sudo labsetup/lab {' '.join(words)}")
        if os.geteuid() == 0 and arguments.verb not in UNCONFINED:
            lifetime.become_init(give_back)
            keep_settings()
        status = int(arguments.action(arguments))
        sys.stdout.flush()
    except LabError as error:
        if not lifetime.status_of_end():  # which may have come in any guise
            say(f"lab: {error}")
    except BrokenPipeError:  # as when head(1) has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    ended = lifetime.status_of_end() or status
    if not lifetime.told_by_another() and (sentence := lifetime.sentence(ended)):
        say(sentence)
    return ended
