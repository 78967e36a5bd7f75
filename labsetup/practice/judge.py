"""An answer tried, apart from everything else.

A check runs in a child process with a sandbox of its own, so it disturbs neither the reader's
network nor the counts in the maps, and an answer that never ends is ended.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import sys
import textwrap
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..apart import Child, Garbled, Parent
from ..compiling.bcc import Whose
from ..compiling.waiting import saying
from ..errors import LabError
from ..explaining.clang import is_telling
from ..network import sandbox
from ..network.session import current
from ..packets.fields import Field
from ..programs.program import Program
from ..programs.sources import read
from ..strangers.stranger import Ended, Stranger
from ..strangers.worker import Checking, line_of, load
from .checking import Wrong
from .diary import UNREADABLE
from .exercise import Exercise
from .reply import Reply

SECONDS = 20.0  # for one check; the longest with a network takes about three
SILENCE = 2.0  # seconds
PRINTED = 300  # characters of what an answer prints are shown
DISTURBED = "it wrote to where its check speaks; an answer only answers"
ENDED = "it ended the process that tried it"
SOURCE = "answer.py"  # what Python that is no file is called


ENDLESS = "Is there a loop that never ends, or one of very many turns? What brings it to its end?"
RAISED = "Call it yourself, in a cell, with a small example, and print what stands in that line."
CALLED = "Does it take what the starter's takes, and return what the text asks for?"


def judge(
    exercise: Exercise, answer: Any, seconds: float = SECONDS, strangers: bool = False
) -> Reply:
    """Try an answer, apart from everything else.

    Args:
        exercise: which one.
        answer: C or Python source, the path of a file with it, a Program, or a function.
        seconds: after which it is ended.
        strangers: it is somebody else's, and is tried where it has no power to harm.
    """
    # A notebook's function may use what the notebook has open.
    work = partial(_try, exercise=exercise, answer=answer, strangers=strangers)
    child, begun = Child(work, inherits=callable(answer)), time.monotonic()
    with child:
        try:
            quiet = 0.0 if strangers else min(SILENCE, seconds / 2)
            with contextlib.ExitStack() as waiting:
                if not (strangers or child.has_told(quiet)):
                    waiting.enter_context(saying(f"the check of {exercise.id} is still at work"))
                message = child.listen(seconds - quiet)
        except TimeoutError:
            took = time.monotonic() - begun  # longer, where others want the CPUs as well
            return _ended(exercise, f"no end after {took:.{1 if took < 1 else 0}f} s", ENDLESS)
        except Garbled:
            return _ended(exercise, DISTURBED)
    if message is None:
        return _ended(exercise)
    try:
        return Reply.from_json(message.text)
    except UNREADABLE:
        return _ended(exercise, DISTURBED)


def _try(parent: Parent, exercise: Exercise, answer: Any, strangers: bool) -> None:
    """In the child: judge, and tell the parent."""
    # A kernel's own streams would wait six seconds for a thread that stayed behind.
    sys.stdout = sys.stderr = printed = io.StringIO()
    sandbox.enter_anew()
    current().one(Checking).going_on = True
    current().one(Whose).strangers = strangers
    try:
        reply = _judged(exercise, answer)
    except Ended:
        reply = _ended(exercise)
    if text := " ".join(printed.getvalue().split()):
        rows = (*reply.rows, ("printed", textwrap.shorten(text, PRINTED, placeholder=" …")))
        reply = replace(reply, rows=rows)
    parent.tell(reply.as_json())


def _ended(exercise: Exercise, how: str = ENDED, think: str = "") -> Reply:
    return Reply(exercise.id, exercise.title, False, (("happened", how),), think=think)


def _judged(exercise: Exercise, answer: Any) -> Reply:
    def reply(ok: bool, think: str, *rows: tuple[str, str], differs: Sequence[Field] = ()) -> Reply:
        return Reply(exercise.id, exercise.title, ok, rows, tuple(differs), think)

    def raised(error: BaseException) -> str:
        return _raised(error, _line(error, answer))

    try:
        made = _made(exercise, answer)
    except Ended:
        raise
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
    except Ended:
        raise
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
    if isinstance(where := getattr(error, "where", None), str):
        return where  # it was raised in another process
    if callable(answer):
        code = getattr(inspect.unwrap(answer), "__code__", None)
        return line_of(error, code.co_filename if code else "")
    return line_of(error, str(answer) if isinstance(answer, Path) else SOURCE)


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
    make = Stranger if current().one(Whose).strangers else load
    return make(source, file, exercise.name)
