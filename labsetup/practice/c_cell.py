"""What a cell of C does: it makes a Program, gives it its name, and has it checked."""

from __future__ import annotations

import builtins
import keyword
import shlex

from IPython import get_ipython
from IPython.display import display

from ..errors import LabError
from ..network.session import current
from ..programs.build import BuildError
from ..programs.first_line import no_name, no_options
from ..programs.program import Program
from . import exercise as exercises
from .notebook import Refused, check, record


def xdp(line: str, cell: str) -> None:
    """``%%xdp NAME``: make a Program of the C in this cell, and call it NAME.

    ``%%xdp NAME --check 2.1`` checks it, too, as the answer to an exercise.
    """
    try:
        name, *options = shlex.split(line) or [""]
    except ValueError:  # a quote without its other
        name, options = line.strip(), []
    if wrong := no_name(name, options) or no_options(
        name, options, _number_of(name) if options else ""
    ):
        raise LabError(f"a cell of C begins with %%xdp NAME, {wrong}")
    if keyword.iskeyword(name) or hasattr(builtins, name):
        raise LabError(f"{name} is a word of Python's own; call the program my_{name}")
    taken = get_ipython().user_ns.get(name)
    module = str(getattr(taken, "__module__", ""))  # of some objects it is None
    if module.startswith("labsetup.") and not isinstance(taken, Program):
        raise LabError(f"{name} is the name of something else here; call the program my_{name}")
    exercise = exercises.find(options[1]) if options else None
    # An empty line stands for the first one, so that clang counts lines as the cell does.
    try:
        program = Program(name, "\n" + cell)
    except BaseException as error:
        is_over = isinstance(error, KeyboardInterrupt)
        _forget(name, "interrupted" if is_over else "refused")
        if exercise and isinstance(error, BuildError):
            record(exercise, ok=False)
        if is_over:
            raise LabError(f"{name} was interrupted; run its cell again") from None
        raise
    if where := _places(name):
        print(f"the {name} from before still runs at {where}: {name}.attach(…) replaces it there")
    get_ipython().user_ns[name] = program
    current().one(Refused).pop(name, None)
    print(program.summary)
    for warning in program.warnings:
        print(f"warning: {warning}")
    if exercise:
        display(check(exercise.id, program))


def _number_of(name: str) -> str:
    """The exercise whose answer has this name; any, if it is none's."""
    return next((one.id for one in exercises.every().values() if one.name == name), "2.1")


def _forget(name: str, why: str) -> None:
    """See that an older program does not pass for one that was refused."""
    current().one(Refused)[name] = why
    if where := _places(name):
        print(f"the {name} from before still runs at {where}; {name}.detach() takes it off")
    else:
        get_ipython().user_ns.pop(name, None)


def _places(name: str) -> str:
    """Where a program that has this name in the notebook is attached; empty if nowhere."""
    found = get_ipython().user_ns.get(name)
    places = found.places if isinstance(found, Program) else []
    return " and ".join(f"{one.host.name} {one.name}" for one in places)
