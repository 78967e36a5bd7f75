"""What is said to a person who waits, and taken away when the wait is over."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator

from IPython import get_ipython
from IPython.display import display

# Headers of the kernel itself; those of uapi/ are a small part of them.
HEAVY = re.compile(r"^\s*#\s*include\s*(<(?:linux|net|asm)/[^>]+>)", re.MULTILINE)


def why_long(name: str, source: str) -> str:
    """What takes clang its time.

    Args:
        name: of the program.
        source: its C.
    """
    if header := HEAVY.search(source):
        return (
            f"clang reads {header[1]} for {name}, and with it much of the kernel, for up to "
            'half a minute; "xdp.h", "headers.h" and <uapi/linux/…> take a second'
        )
    return f"clang is still at work on {name}"


@contextlib.contextmanager
def saying(words: str) -> Iterator[None]:
    """Show a line while the block runs, to a person alone.

    In a notebook that is whoever could be asked something (allow_stdin of Jupyter's
    execute_request): what runs a notebook and keeps or compares its outputs sees nothing.
    """
    shell = get_ipython()
    if shell is None:
        if not sys.stderr.isatty():
            yield
            return
        print(words, end="", file=sys.stderr, flush=True)
        try:
            yield
        finally:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        return
    if not getattr(getattr(shell, "kernel", None), "_allow_stdin", False):
        yield
        return
    shown = display({"text/plain": words}, raw=True, display_id=True)
    try:
        yield
    finally:
        shown.update({"text/plain": ""}, raw=True)
