"""The reader answers: check(), hint(), progress(), and cells of C.

A check runs in a child process with a sandbox of its own, so it disturbs neither the reader's
network nor the counts in the maps, and an answer that never ends is ended.
"""

from __future__ import annotations

import contextlib
import html
import inspect
import io
import linecache
import os
import pickle
import re
import select
import shlex
import signal
import sys
import textwrap
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from IPython import get_ipython
from IPython.display import display

from . import exercises, sandbox, show
from .diary import DONE, TRIED, Progress
from .exercises import LESSONS, Exercise, Wrong
from .hosts import Network
from .packets import Field
from .program import BuildError, Program
from .refusals import TELLING
from .sandbox import LabError

SECONDS = 20.0  # for one check; the longest with a network takes about three
PRINTED = 300  # characters of what an answer prints are shown
SOURCE = "answer.py"  # what Python that is no file is called

ENDLESS = "Is there a loop that never ends, or one of very many turns? What brings it to its end?"
RAISED = "Call it yourself, in a cell, with a small example, and print what stands in that line."
CALLED = "Does it take what the starter's takes, and return what the text asks for?"

SIGNS = {DONE: "●", TRIED: "◐", "": "○"}
_checking = False
_refused: set[str] = set()  # names of programs whose last cell was refused


@dataclass(frozen=True)
class Reply:
    """What a check says.

    Attributes:
        exercise: its number.
        title: its name.
        ok: whether the answer is right.
        rows: what was sent, expected, and what happened, by those names.
        differs: header fields, as expected and as they came.
        think: one thought to follow, or what to try next.
    """

    exercise: str
    title: str
    ok: bool
    rows: tuple[tuple[str, str], ...] = ()
    differs: Sequence[Field] = ()
    think: str = ""

    @property
    def headline(self) -> str:
        """The exercise and the judgement."""
        return f"{self.exercise} {self.title}: {'right' if self.ok else 'not yet'}"

    @property
    def lines(self) -> list[tuple[str, str]]:
        """All there is to say, a word for the margin and a text each."""
        fields = [
            ("differs", f"{one.layer} {one.name}: {one.after}, expected {one.before}")
            for one in self.differs
        ]
        last = [("try" if self.ok else "think", self.think)] if self.think else []
        return [*self.rows, *fields, *last]

    @property
    def message(self) -> str:
        """The same in one line, without the thought."""
        rows = [
            f"{word}: {text}" for word, text in self.lines[: len(self.rows) + len(self.differs)]
        ]
        return "; ".join([self.headline, *rows])

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        rows = "".join(
            f'<div style="display:flex"><div style="flex:0 0 80px;color:{show.FAINT}">{word}</div>'
            f"<div>{html.escape(text)}</div></div>"
            for word, text in self.lines
        )
        bar = "#009e73" if self.ok else show.XDP
        head = f"<b>{'✓' if self.ok else '✗'} {html.escape(self.headline)}</b>"
        return {
            "text/html": f'<div style="border-left:4px solid {bar};padding:2px 10px;'
            f'color:{show.INK}">{head}{rows}</div>',
            "text/plain": repr(self),
        }

    def __repr__(self) -> str:
        wrapped = [
            textwrap.fill(text, 96, initial_indent=f"  {word:9} ", subsequent_indent=" " * 12)
            for word, text in self.lines
        ]
        return "\n".join([self.headline, *wrapped])


def judge(exercise: Exercise, answer: Any, seconds: float = SECONDS) -> Reply:
    """Try an answer, apart from everything else.

    Args:
        exercise: which one.
        answer: C or Python source, the path of a file with it, a Program, or a function.
        seconds: after which it is ended.
    """
    reply = _apart(lambda: _judged(exercise, answer), exercise, seconds)
    if reply == _ended(exercise) and exercise.suffix == ".c":  # most likely it was LLVM that did
        reply = _apart(lambda: _judged(exercise, answer, expendable=False), exercise, seconds)
    return reply


def _ended(
    exercise: Exercise, how: str = "it ended the process that tried it", think: str = ""
) -> Reply:
    return Reply(exercise.id, exercise.title, False, (("happened", how),), think=think)


def _judged(exercise: Exercise, answer: Any, expendable: bool = True) -> Reply:
    def reply(ok: bool, think: str, *rows: tuple[str, str], differs: Sequence[Field] = ()) -> Reply:
        return Reply(exercise.id, exercise.title, ok, rows, tuple(differs), think)

    def raised(error: BaseException) -> str:
        return _raised(error, _line(error, answer))

    try:
        made = _made(exercise, answer, expendable)
    except Exception as error:  # what clang, the verifier or Python does not take
        warned = [("warned", one) for one in getattr(error, "warnings", []) if TELLING.search(one)]
        return reply(False, "", ("refused", raised(error)), *warned)
    try:
        exercise.check(made)
    except Wrong as wrong:
        telling = [one for one in getattr(made, "warnings", []) if TELLING.search(one)]
        if telling:
            wrong.think = f"Begin with what clang warns of: {telling[0]}"
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


def _made(exercise: Exercise, answer: Any, expendable: bool) -> Any:
    """A fresh program with empty maps, or the function."""
    if isinstance(answer, Program) and exercise.suffix == ".py":
        raise LabError(f"{exercise.id} is answered in Python: def {exercise.name}(...)")
    if isinstance(answer, Program):
        return Program(answer.name, answer.source, expendable=expendable)
    if callable(answer):
        return answer
    is_path = isinstance(answer, Path)
    if exercise.suffix == ".c":
        name, source = (answer, None) if is_path else (exercise.name, answer)
        return Program(name, source, expendable=expendable)
    source = answer.read_text() if is_path else answer
    file = str(answer) if is_path else SOURCE
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file  # for _line
    names: dict[str, Any] = {"check": lambda *_: None, "__name__": "answer"}
    exec(compile(source, file, "exec"), names)
    if not callable(names.get(exercise.name)):
        raise LabError(f"it has no function {exercise.name}")
    return names[exercise.name]


def _apart(work: Callable[[], Reply], exercise: Exercise, seconds: float) -> Reply:
    """Do work in a child process with a sandbox of its own, and end it when its time is up."""
    global _checking
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads stay behind
        child = os.fork()
    if child == 0:
        _checking = True
        status = 1
        with contextlib.suppress(BaseException):
            os.setpgid(0, 0)
            for stream in (0, 1, 2):
                os.dup2(os.open(os.devnull, os.O_RDWR), stream)
            # A kernel's own streams would wait six seconds for a thread that stayed behind.
            sys.stdout = sys.stderr = printed = io.StringIO()
            Network.forget()
            sandbox.enter_anew()
            reply = work()
            if text := " ".join(printed.getvalue().split()):
                rows = (*reply.rows, ("printed", textwrap.shorten(text, PRINTED, placeholder=" …")))
                reply = replace(reply, rows=rows)
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(reply, pipe)
            status = 0
        os._exit(status)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            data, end = b"", time.monotonic() + seconds
            waiting = select.poll()  # not select(2), which knows no descriptor above 1,023
            waiting.register(pipe, select.POLLIN)
            while waiting.poll(1000 * max(0, end - time.monotonic())):
                part = os.read(pipe.fileno(), 65536)
                data += part
                if not part:
                    break
            in_time = time.monotonic() < end
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # with the programs that it started
        os.waitpid(child, 0)
    if data and in_time:
        return pickle.loads(data)
    if in_time:
        return _ended(exercise)
    return _ended(exercise, f"no end after {seconds:g} s", ENDLESS)


def check(number: str, answer: Any = None) -> Reply | None:
    """Try your answer to an exercise on packets.

    Args:
        number: such as ``"2.1"``.
        answer: a program, a function, or the path of a file; without it, what the notebook has
            under the exercise's name.

    Raises:
        LabError: if there is no such exercise, or no answer to it.
    """
    if _checking:  # a file with an answer that checks itself
        return None
    exercise = exercises.find(number)
    if answer is None:
        answer = _from_notebook(exercise)
    elif isinstance(answer, (str, Path)):
        answer = Path(answer)
        if not answer.is_file():
            raise LabError(f"there is no file {answer}; check the path")
    elif not (isinstance(answer, Program) or callable(answer)):
        given = type(answer).__name__
        raise LabError(f"check() takes a program, a function or the path of a file, not {given}")
    try:
        reply = judge(exercise, answer)
    except KeyboardInterrupt:
        raise LabError(f"the check of {exercise.id} was interrupted; run it again") from None
    _record(exercise, reply.ok)
    return reply


def _from_notebook(exercise: Exercise) -> Any:
    shell = get_ipython()
    found = shell.user_ns.get(exercise.name) if shell else None
    made = re.findall(r"^def (\w+)", shell.user_ns["In"][-1] if shell else "", re.MULTILINE)
    if made and exercise.name not in made and exercise.suffix == ".py":
        raise LabError(f"{exercise.id} looks for {exercise.name}, and this cell makes {made[-1]}")
    if exercise.name in _refused:
        raise LabError(f"the last {exercise.name} was refused; mend its cell and run it again")
    if isinstance(found, Program) if exercise.suffix == ".c" else inspect.isfunction(found):
        return found
    if found is not None and exercise.suffix == ".py":
        raise LabError(f"{exercise.name} is no function; def {exercise.name}(…): makes one")
    how = f"%%xdp {exercise.name}" if exercise.suffix == ".c" else f"def {exercise.name}(...)"
    raise LabError(
        f"there is no {exercise.name} yet: run the cell that begins with {how}, or give a file, as "
        f'in check("{exercise.id}", "my{exercise.suffix}")'
    )


def _record(exercise: Exercise, ok: bool) -> None:
    with Progress.changing() as progress:
        progress.tried(exercise.id, ok)
        _say(progress.notice)


def _say(notice: str) -> None:
    if notice:
        print(notice)


@dataclass(frozen=True)
class Hint:
    """A hint, or after all hints the solution."""

    title: str
    text: str
    code: str = ""

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        code = show.code_html(self.code) if self.code else ""
        return {
            "text/html": f'<div style="border-left:4px solid {show.LINE};padding:2px 10px;'
            f'color:{show.INK}"><b>{html.escape(self.title)}</b>{code}'
            f"<div>{html.escape(self.text)}</div></div>",
            "text/plain": repr(self),
        }

    def __repr__(self) -> str:
        code = f"\n\n{self.code.strip()}\n" if self.code else ""
        return f"{self.title}{code}\n{textwrap.fill(self.text, 96)}"


def hint(number: str) -> Hint:
    """Open the next hint to an exercise; after the last one, or once it is done, a solution."""
    exercise = exercises.find(number)
    with Progress.changing() as progress:
        _say(progress.notice)
        opened = progress.hints(exercise.id)
        if progress.state(exercise.id) != DONE and opened < len(exercise.hints):
            progress.open_hint(exercise.id)
            last = opened + 1 == len(exercise.hints)
            then = f'hint("{exercise.id}") again opens {"a solution" if last else "the next"}.'
            title = f"{exercise.id} {exercise.title}, hint {opened + 1} of {len(exercise.hints)}"
            return Hint(title, f"{exercise.hints[opened]} {then}")
    title = f"{exercise.id} {exercise.title}, a solution"
    return Hint(title, exercise.compare, exercise.solution)


class Map:
    """How far one is: a row a lesson, a sign an exercise."""

    def __init__(self, states: dict[str, str]) -> None:
        self._states = states
        self._rows: dict[int, list[str]] = {}
        for number in exercises.every():
            self._rows.setdefault(int(number.partition(".")[0]), []).append(number)

    _legend = f"{SIGNS[DONE]} done   {SIGNS[TRIED]} tried   {SIGNS['']} not yet"

    def _sign(self, number: str) -> str:
        return SIGNS[self._states.get(number, "")]

    def __repr__(self) -> str:
        width = max(map(len, LESSONS.values()))
        rows = [
            f"{lesson:02} {LESSONS[lesson]:{width}}  "
            + "  ".join(f"{self._sign(number)} {number}" for number in numbers)
            for lesson, numbers in self._rows.items()
        ]
        return "\n".join(
            [*rows, "", f"{SIGNS[DONE]} done  {SIGNS[TRIED]} tried  {SIGNS['']} not yet"]
        )

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        rows = "".join(
            f'<tr><td style="text-align:left">{lesson:02} {LESSONS[lesson]}</td>'
            + "".join(
                f'<td title="{html.escape(exercises.find(number).title)}">'
                f"{self._sign(number)} {number}</td>"
                for number in numbers
            )
            + "</tr>"
            for lesson, numbers in self._rows.items()
        )
        return {
            "text/html": f"<table>{rows}</table><p>{self._legend}</p>",
            "text/plain": repr(self),
        }


def progress(clear: bool = False) -> Map:
    """How far you are in the exercises of all notebooks.

    Args:
        clear: forget it all, and begin anew.
    """
    with Progress.changing() as kept:
        if clear:
            kept.clear()
        _say(kept.notice)
        return Map({number: kept.state(number) for number in exercises.every()})


def xdp(line: str, cell: str) -> None:
    """``%%xdp NAME``: make a Program of the C in this cell, and call it NAME.

    ``%%xdp NAME --check 2.1`` checks it, too, as the answer to an exercise.
    """
    name, *options = shlex.split(line) or [""]
    if not name.isidentifier() or (options and (options[0] != "--check" or len(options) != 2)):
        raise LabError(
            "a cell of C begins with %%xdp NAME, where NAME is what to call it in Python; "
            "--check 2.1 may follow, the number of an exercise"
        )
    taken = get_ipython().user_ns.get(name)
    module = str(getattr(taken, "__module__", ""))  # of some objects it is None
    if module.startswith("labsetup.") and not isinstance(taken, Program):
        raise LabError(f"{name} is the name of something else here; call the program my_{name}")
    exercise = exercises.find(options[1]) if options else None
    # An empty line stands for the first one, so that clang counts lines as the cell does.
    try:
        program = Program(name, "\n" + cell)
    except BaseException as error:
        _forget(name)
        if exercise and isinstance(error, BuildError):
            _record(exercise, ok=False)
        if isinstance(error, KeyboardInterrupt):
            raise LabError(f"{name} was interrupted; run its cell again") from None
        raise
    if where := _places(name):
        print(f"the {name} from before still runs at {where}: {name}.attach(…) replaces it there")
    get_ipython().user_ns[name] = program
    _refused.discard(name)
    print(program.summary)
    for warning in program.warnings:
        print(f"clang warns: {warning}")
    if exercise:
        display(check(exercise.id, program))


def _forget(name: str) -> None:
    """See that an older program does not pass for one that was refused."""
    _refused.add(name)
    if where := _places(name):
        print(f"the {name} from before still runs at {where}; {name}.detach() takes it off")
    else:
        get_ipython().user_ns.pop(name, None)


def _places(name: str) -> str:
    """Where a program that has this name in the notebook is attached; empty if nowhere."""
    found = get_ipython().user_ns.get(name)
    places = found.places if isinstance(found, Program) else []
    return " and ".join(f"{one.host.name} {one.name}" for one in places)


def _at_the_top(lines: list[str]) -> list[str]:
    """Refuse a cell whose %%xdp is not its first line: Python would take the C for Python."""
    words = [line for line in lines if line.strip()]
    if any(line.startswith("%%xdp") for line in words[1:]):
        raise LabError("%%xdp has to be the first line of its cell; move what stands above it")
    return lines


if get_ipython() is not None:
    get_ipython().register_magic_function(xdp, "cell")
    get_ipython().input_transformers_cleanup.append(_at_the_top)
