"""What a process has one of: its place in the private network, and what lives as long as that.

A process that was forked begins a session of its own: threads, loops and rings stay with the
parent, and its sandbox with both.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Session:
    """One thing of each kind, made when it is first asked for.

    Attributes:
        entered: whether this process is in the lab's private network.
    """

    def __init__(self, entered: bool = False) -> None:
        self.entered = entered
        self.pid = os.getpid()
        self._things: dict[Callable[[], Any], Any] = {}
        self._lock = threading.RLock()

    def one(self, kind: Callable[[], T]) -> T:
        """This session's thing of a kind.

        Args:
            kind: a class, or a function that makes it; the same one gives the same thing.
        """
        with self._lock:
            if kind not in self._things:
                self._things[kind] = kind()
            return cast(T, self._things[kind])


class _Current:
    session = Session()


def current() -> Session:
    """The session of this process; a fresh one in a process that was forked since."""
    if _Current.session.pid != os.getpid():
        _Current.session = Session(_Current.session.entered)
    return _Current.session


def begin() -> Session:
    """Leave what the session had to whoever goes on with it, and have a fresh one, outside."""
    _Current.session = Session()
    return _Current.session
