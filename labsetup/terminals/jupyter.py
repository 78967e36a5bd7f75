"""What a terminal of JupyterLab runs: a shell in the network that was made last.

Run as ``python -m labsetup.terminals.jupyter``, by the server, whose notebooks it looks at.
"""

from __future__ import annotations

import os
import signal
import sys

from ..errors import LabError
from ..network import lifetime
from .running import Running, running
from .stay import BASH, say, stay_with, surroundings

WAITING = (
    "no notebook has a network; this terminal goes into the next that is made. "
    "Ctrl-C: a shell outside"
)


def newest(server: int) -> Running | None:
    """The notebook whose network was made last; None where none has one.

    Args:
        server: the number of JupyterLab's process.
    """
    found = [one for one in running(server) if one.made()]
    return max(found, key=Running.made, default=None)


def main() -> int:
    """Go into the network that was made last, or wait for one."""
    server = os.getppid()
    os.environ["XDP_LAB_SERVER"] = str(server)
    lifetime.end_at_signals()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return stay_with(lambda: newest(server), waiting=WAITING)
    except LabError as error:
        say(str(error))
        return 1
    except lifetime.Ended:
        return lifetime.status_of_end()
    except KeyboardInterrupt:
        print(file=sys.stderr)
        say(
            "you are root on this machine, outside of any network; "
            "«lab shell» goes into a notebook's"
        )
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.environ.update(surroundings(None))
        os.execvp(BASH[0], BASH)


if __name__ == "__main__":
    sys.exit(main())
