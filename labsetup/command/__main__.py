"""What labsetup/lab hands over to.  Each verb exits with status 0 only when all is well."""

from __future__ import annotations

import os
import sys

from ..errors import LabError
from . import authoring, doctor, marking, notebooks, packet, shell, site, start, testing
from .places import say
from .verbs import Verbs

VERBS = (start, testing, notebooks, shell, packet, marking, doctor, authoring, site)


# They touch neither the network nor the kernel.
UNPRIVILEGED = {"doctor", "new", "sync", "restore", "site"}


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
    try:
        if os.geteuid() != 0 and arguments.verb not in UNPRIVILEGED:
            raise LabError(f"the lab needs root; type: sudo labsetup/lab {' '.join(words)}")
        return int(arguments.action(arguments))
    except LabError as error:
        say(f"lab: {error}")
    except KeyboardInterrupt:
        say("lab: interrupted")
    return 1


if __name__ == "__main__":
    sys.exit(main())
