"""An answer tried, apart from everything else.

A check runs in a child process with a sandbox of its own, so it disturbs neither the reader's
network nor the counts in the maps, and an answer that never ends is ended.
"""

from __future__ import annotations

import inspect
import io
import linecache
import sys
import textwrap
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..apart import Child, Garbled, Parent
from ..errors import LabError
from ..explaining.clang import is_telling
from ..network import sandbox
from ..network.session import current
from ..packets.fields import Field
from ..programs.program import Program
from ..programs.sources import read
from .checking import Wrong
from .diary import UNREADABLE
from .exercise import Exercise
from .reply import Reply

SECONDS = 20.0  # for one check; the longest with a network takes about three
PRINTED = 300  # characters of what an answer prints are shown
DISTURBED = "it wrote to where its check speaks; an answer only answers"
SOURCE = "answer.py"  # what Python that is no file is called


ENDLESS = "Is there a loop that never ends, or one of very many turns? What brings it to its end?"
RAISED = "Call it yourself, in a cell, with a small example, and print what stands in that line."
CALLED = "Does it take what the starter's takes, and return what the text asks for?"


class Checking:
    """Whether this process is one that tries an answer, which may check itself once more."""

    going_on = False


def judge(exercise: Exercise, answer: Any, seconds: float = SECONDS) -> Reply:
    """Try an answer, apart from everything else.

    Args:
        exercise: which one.
        answer: C or Python source, the path of a file with it, a Program, or a function.
        seconds: after which it is ended.
    """
    # A notebook's function may use what the notebook has open; a stranger's answer has nothing.
    child = Child(lambda parent: _try(parent, exercise, answer), inherits=callable(answer))
    with child:
        try:
            message = child.listen(seconds)
        except TimeoutError:
            return _ended(exercise, f"no end after {seconds:g} s", ENDLESS)
        except Garbled:
            return _ended(exercise, DISTURBED)
    if message is None:
        return _ended(exercise)
    try:
        return Reply.from_json(message.text)
    except UNREADABLE:
        return _ended(exercise, DISTURBED)


def _try(parent: Parent, exercise: Exercise, answer: Any) -> None:
    """In the child: judge, and tell the parent."""
    # A kernel's own streams would wait six seconds for a thread that stayed behind.
    sys.stdout = sys.stderr = printed = io.StringIO()
    sandbox.enter_anew()
    current().one(Checking).going_on = True
    reply = _judged(exercise, answer)
    if text := " ".join(printed.getvalue().split()):
        rows = (*reply.rows, ("printed", textwrap.shorten(text, PRINTED, placeholder=" …")))
        reply = replace(reply, rows=rows)
    parent.tell(reply.as_json())


def _ended(
    exercise: Exercise, how: str = "it ended the process that tried it", think: str = ""
) -> Reply:
    return Reply(exercise.id, exercise.title, False, (("happened", how),), think=think)


def _judged(exercise: Exercise, answer: Any) -> Reply:
    def reply(ok: bool, think: str, *rows: tuple[str, str], differs: Sequence[Field] = ()) -> Reply:
        return Reply(exercise.id, exercise.title, ok, rows, tuple(differs), think)

    def raised(error: BaseException) -> str:
        return _raised(error, _line(error, answer))

    try:
        made = _made(exercise, answer)
    except Exception as error:  # what clang, the verifier or Python does not take
        warned = [("warned", one) for one in getattr(error, "warnings", []) if is_telling(one)]
        return reply(False, "", ("refused", raised(error)), *warned)
    try:
        exercise.check(made)
    except Wrong as wrong:
        telling = [one for one in getattr(made, "warnings", []) if is_telling(one)]
        if telling:
            wrong.think = f"Begin with this warning: {telling[0]}"
        happened = raised(wrong.__cause__) if wrong.__cause__ else wrong.happened
        rows = [("sent", wrong.sent), ("expected", wrong.expected), ("happened", happened)]
        return reply(False, wrong.think, *rows, differs=wrong.differs)
    except LabError as error:  # a map that is not there; its sentence says what next
        return reply(False, "", ("happened", raised(error)))
    except Exception as error:  # whatever a reader's function raises
        think = RAISED if _line(error, answer) else CALLED
        think = think if exercise.suffix == ".py" else ""
        return reply(False, think, ("happened", raised(error)))
    return reply(True, exercise.next)


def _raised(error: BaseException, line: str) -> str:
    """What was raised, where in the answer, and its words; a LabError's are enough."""
    kind = "" if isinstance(error, LabError) else type(error).__name__
    return ": ".join(filter(None, (" in ".join(filter(None, (kind, line))), str(error))))


def _line(error: BaseException, answer: Any) -> str:
    """The last line of a Python answer that was reached before something was raised, if any."""
    if callable(answer):
        code = getattr(inspect.unwrap(answer), "__code__", None)
        file = code.co_filename if code else ""
    else:
        file = str(answer) if isinstance(answer, Path) else SOURCE
    own = [one for one in traceback.extract_tb(error.__traceback__) if one.filename == file]
    return f"line {own[-1].lineno}, «{own[-1].line}»" if own else ""


def _made(exercise: Exercise, answer: Any) -> Any:
    """A fresh program with empty maps, or the function."""
    if isinstance(answer, Program) and exercise.suffix == ".py":
        raise LabError(f"{exercise.id} is answered in Python: def {exercise.name}(...)")
    if isinstance(answer, Program):
        return Program(answer)
    if callable(answer):
        return answer
    is_path = isinstance(answer, Path)
    if exercise.suffix == ".c":
        name, source = (answer, None) if is_path else (exercise.name, answer)
        return Program(name, source)
    source = read(answer) if is_path else answer
    file = str(answer) if is_path else SOURCE
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file  # for _line
    names: dict[str, Any] = {"check": lambda *_: None, "__name__": "answer"}
    exec(compile(source, file, "exec"), names)
    if not callable(names.get(exercise.name)):
        raise LabError(f"it has no function {exercise.name}")
    return names[exercise.name]
