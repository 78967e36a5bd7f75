"""Commands of which a machine runs one at a time, whichever network they are in."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

# Their lock is a file in /run, and who comes second fails: xdp-tools, util.c, prog_lock_get().
LOCKING = {"xdp-filter", "xdp-loader"}


@contextlib.contextmanager
def in_turn(command: str, seconds: float) -> Iterator[None]:
    """Run the block while no other notebook of this machine has the same command run, if it minds.

    The lock is on the program's own file, so that nothing stays behind: flock(2).

    Args:
        command: the program.
        seconds: to wait at most; then it says itself what is the matter.
    """
    file = shutil.which(command) if Path(command).name in LOCKING else None
    with contextlib.ExitStack() as stack:
        if file:
            held, end = stack.enter_context(Path(file).open("rb")), time.monotonic() + seconds
            while not _locks(held.fileno()) and time.monotonic() < end:
                time.sleep(0.01)  # paces the look: with flock(2) one waits without a limit, or not
        yield


def _locks(file: int) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
