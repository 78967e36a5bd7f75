"""A stranger's Python answer, as a check calls it: it runs in a process without power.

Where namespaces end it is said in `jail.py`, and what goes to and fro in `plain.py`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from .. import jail
from ..errors import LabError
from .plain import GARBLED, packed, unpacked, unpacked_error
from .worker import TALK

PACKAGE = Path(__file__).parent.parent
LESSONS = PACKAGE / "lessons"
SCENES = ("scene.py", "churn.py")  # which are a reader's, too, and no answers
HASH_SEEDS = ("1", "2")  # of Python's hash(), in the first process of an answer and in another
MOST_BYTES = 2**20  # of a message from there


class Ended(Exception):
    """The process of the answer is over, or talks nonsense."""


class Stranger:
    """A function in a jail; what it gives are plain values, and what it raises is raised here."""

    def __init__(self, source: str, file: str, name: str, seed: str = HASH_SEEDS[0]) -> None:
        """Start it.

        Args:
            source: the answer.
            file: what its errors call it.
            name: the function's.
            seed: of Python's hash().

        Raises:
            LabError: where the jail cannot be made; and what the answer raises when it is read.
            Ended: when the answer ends its process.
        """
        self._begun = source, file, name
        self._end, childs_end = socket.socketpair()
        if os.fork() == 0:
            with contextlib.suppress(BaseException):
                _start(childs_end.fileno(), seed)
            os._exit(1)
        childs_end.close()
        self._heard = self._end.makefile("rb")
        self._say(source=source, file=file, name=name)
        if broken := self._listen().get("broken"):
            raise LabError(
                f"no place without power can be made for an answer ({broken}); "
                "type: labsetup/lab doctor"
            )
        self._listen()  # until it has read the answer

    def elsewhere(self) -> Stranger:
        """The same function in another process, where hash() of a string is another."""
        return Stranger(*self._begun, seed=HASH_SEEDS[1])

    def __call__(self, *given: Any) -> Any:
        net = next((one for one in given if type(one).__name__ == "Network"), None)
        self._say(call=[packed(one) for one in given])
        heard = self._listen()
        try:
            for one, left in zip(given, heard.get("left", []), strict=False):
                _put(one, unpacked(left, net))
            return unpacked(heard["gives"], net)
        except GARBLED as error:
            raise Ended from error

    def _say(self, **message: Any) -> None:
        try:
            self._end.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise Ended from error

    def _listen(self) -> dict[str, Any]:
        line = b""
        with contextlib.suppress(ConnectionResetError):
            line = self._heard.readline(MOST_BYTES)
        try:
            heard: dict[str, Any] = json.loads(line)
            print(str(heard.get("printed", "")), end="")
            raised = unpacked_error(heard["raised"]) if "raised" in heard else None
        except GARBLED as error:
            raise Ended from error
        if raised is not None:
            raise raised
        return heard


def _put(given: object, left: object) -> None:
    """Do to a list or a dict what the answer did to its copy."""
    if isinstance(given, list) and isinstance(left, list):
        given[:] = left
    elif isinstance(given, dict) and isinstance(left, dict):
        given.clear()
        given.update(left)


def _start(end: int, seed: str) -> None:
    """In a child: make the jail, and be the parent of its first process."""
    # Out of the way of the worker's four; a machine may allow no more than a few hundred.
    kept, nothing = (
        fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, TALK + 1)
        for one in (end, os.open(os.devnull, os.O_RDWR))
    )
    try:
        for one in map(int, os.listdir("/proc/self/fd")):
            if one not in (kept, nothing):
                with contextlib.suppress(OSError):  # that by which they were listed
                    os.close(one)
        prefixes = [Path(one) for one in {sys.prefix, sys.base_prefix}]
        parts = [one / part for one in prefixes for part in ("bin", "lib", "lib64", "pyvenv.cfg")]
        user = jail.user_for([Path(__file__), *parts])
        jail.new_namespaces()
        scenes = [path for name in SCENES for path in LESSONS.glob(f"**/{name}")]
        jail.see_only([*jail.system(), *parts, PACKAGE, *scenes], hidden=[LESSONS])
        if os.fork():
            os.close(kept)
            os.wait()
            return
        for stream in range(TALK):
            os.dup2(nothing, stream)
        os.dup2(kept, TALK)
        # Not -m, for which the module would be there twice, and each of its classes, too.
        begin = f"from {__package__}.worker import main; main({user})"
        environment = {
            "LC_ALL": "C.UTF-8",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": str(PACKAGE.parent),
        }
        words = [sys.executable, "-P", "-s", "-B", "-c", begin]
        os.execve(sys.executable, words, environment)
    except OSError as error:
        os.write(kept, json.dumps({"broken": str(error)}).encode() + b"\n")
