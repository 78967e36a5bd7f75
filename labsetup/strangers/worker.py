"""The process in which a stranger's Python answer runs; `stranger.py` starts it, and asks it.

It gives everything up before it reads the answer. What it may say to the check are values, so a
reply cannot be forged: that is made of them elsewhere.
"""

from __future__ import annotations

import contextlib
import io
import json
import linecache
import os
import re
import resource
import sys
import traceback
from collections.abc import Callable
from typing import Any

import labsetup

from .. import jail
from ..errors import LabError
from ..network import sandbox
from ..network.session import current
from .plain import packed, packed_error, unpacked

# Of a CPU, more than a check's patience on a busy machine, so that who never ends is told so; bytes
# of memory, and of files.
SECONDS, MEMORY, ROOM = 120, 2**30, 2**20
LIMITS = {
    resource.RLIMIT_AS: MEMORY,
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_CPU: SECONDS,
    resource.RLIMIT_FSIZE: ROOM,
    resource.RLIMIT_MEMLOCK: 0,
    resource.RLIMIT_NOFILE: 64,
    resource.RLIMIT_NPROC: 1,
}
PRINTED = 1_000  # characters of what is printed between two answers
USES = re.compile(r"\b(?:labsetup|scapy)\b")
ALL = re.compile(r"\blabsetup\s+import\s*\(?\s*\*|\bscapy\b")  # with which all must be there
TALK = 3  # the descriptor


class Checking:
    """Whether this process is one that tries an answer, which may check itself once more."""

    going_on = False


class Printed(io.StringIO):
    """The beginning of what is printed; the rest is forgotten."""

    def write(self, text: str) -> int:
        """Keep it, while there is room."""
        super().write(text[: max(0, PRINTED - self.tell())])
        return len(text)


class Talk:
    """Messages, a line of JSON each."""

    def __init__(self) -> None:
        self._end = os.fdopen(os.dup(TALK), "r", encoding="utf-8")

    def heard(self) -> Any:
        """The next message; the process ends with whoever sends them."""
        if not (line := self._end.readline()):
            os._exit(0)
        return json.loads(line)

    def say(self, **message: Any) -> None:
        """Send one."""
        data = memoryview(json.dumps(message).encode() + b"\n")
        while data:
            data = data[os.write(TALK, data) :]


def load(source: str, file: str, name: str) -> Callable[..., object]:
    """The function that Python source makes.

    Args:
        source: of the answer.
        file: what errors call it.
        name: the function's.

    Raises:
        LabError: if there is no such function.
    """
    lines = source.splitlines(keepends=True)
    linecache.cache[file] = len(source), None, lines, file  # for `line_of`
    names: dict[str, Any] = {"check": lambda *_: None, "__name__": "answer"}
    exec(compile(source, file, "exec"), names)
    if not callable(found := names.get(name)):
        raise LabError(f"it has no function {name}")
    return found  # type: ignore[no-any-return]  # whatever it is, it can be called


def line_of(error: BaseException, file: str) -> str:
    """The last line of a file that was reached before something was raised, if any."""
    own = [one for one in traceback.extract_tb(error.__traceback__) if one.filename == file]
    return f"line {own[-1].lineno}, «{own[-1].line}»" if own else ""


def _no_network() -> None:
    raise LabError(
        "an answer in a file is tried without a network; look round in a notebook, and return "
        "what you found there"
    )


def _fetch(source: str) -> None:
    """Import what an answer names of the lab; scapy looks at the network as it is imported."""
    for name in dir(labsetup):
        if ALL.search(source) or re.search(rf"\b{name}\b", source):
            with contextlib.suppress(Exception):  # the answer meets it again
                getattr(labsetup, name)


def main(user: int) -> None:
    """Give up everything, and then do what is asked."""
    talk = Talk()
    begun = talk.heard()
    if USES.search(begun["source"]):
        _fetch(begun["source"])
    try:
        jail.renounce(user, jail.COMPUTING, LIMITS)
    except (LabError, OSError) as error:
        talk.say(broken=str(error))
        return
    talk.say(ready=True)
    sandbox.require = _no_network
    current().one(Checking).going_on = True
    sys.stdout = sys.stderr = printed = Printed()
    file, function = begun["file"], None

    def answered(work: Callable[[], dict[str, Any]]) -> None:
        try:
            said = work()
        except Exception as error:
            said = {"raised": packed_error(error, line_of(error, file))}
        except BaseException:  # such as SystemExit
            os._exit(0)
        talk.say(**said, printed=printed.getvalue())
        printed.seek(0)
        printed.truncate()

    def made() -> dict[str, Any]:
        nonlocal function
        function = load(begun["source"], file, begun["name"])
        return {}

    def called(told: list[Any]) -> dict[str, Any]:
        assert function
        given = [unpacked(one) for one in told]
        gives = packed(function(*given))
        left = [packed(one) for one in given]
        return {"gives": gives} | ({"left": left} if left != told else {})

    answered(made)
    while True:
        told = talk.heard()["call"]
        answered(lambda told=told: called(told))  # type: ignore[misc]
