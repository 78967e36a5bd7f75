"""What labsetup/lab hands over to: the verbs, and an end in words from the first moment on."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def _end(number: int, frame: FrameType | None) -> None:
    """Nothing has begun yet, so there is nothing to take away."""
    what = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
    os.write(2, f"lab: {what}; nothing of it is left\n".encode())
    os._exit(128 + number)


if __name__ == "__main__":
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(one) is not signal.SIG_IGN:  # as nohup(1) wants it
            signal.signal(one, _end)
    from ..streams import open_closed, watch

    open_closed()
    watch()
    from .main import main  # takes a moment, in which somebody may want to end it

    sys.exit(main())
