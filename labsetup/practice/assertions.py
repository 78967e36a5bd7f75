"""An assertion of a cell that does not hold: told where, and what next."""

from __future__ import annotations

import ast
import linecache
import reprlib
import textwrap
import traceback
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

NEXT = (
    "run the notebook again from its first cell; if it still says so, `labsetup/lab doctor` tells "
    "what this machine cannot do"
)
_SHORT = 60  # characters of a value; whoever wants more of it can print it
_LONG = 300  # of what an assertion itself says


def in_words(error: BaseException, trace: TracebackType, shell: InteractiveShell) -> str:
    """What did not hold, as a sentence; empty if no cell had a part in it.

    Args:
        error: an AssertionError.
        trace: the way that it came.
        shell: knows which code is a cell's.
    """
    way = list(traceback.walk_tb(trace))
    cells = [place for place in way if _is_cell(place[0], shell)]
    if not cells:
        return ""
    frame, line = cells[-1]
    number, what, values = _statement(frame, line)
    where = f"line {number} of {_cell(frame, cells[0][0], shell)}"
    said = textwrap.shorten(str(error), _LONG, placeholder=" …")
    if (deepest := way[-1]) == cells[-1]:
        told = f"{where} does not hold, «{what}»"
    else:
        file = Path(deepest[0].f_code.co_filename).name
        number, asserted, values = _statement(*deepest)
        told = f"{where}, «{what}», came to line {number} of {file}, «{asserted}»"
    if values:
        told += f", where {values}"
    return f"{told}{f', and says: {said}' if said else ''}; {NEXT}"


def _is_cell(frame: FrameType, shell: InteractiveShell) -> bool:
    return shell.compile.format_code_name(frame.f_code.co_filename) is not None


def _cell(frame: FrameType, first: FrameType, shell: InteractiveShell) -> str:
    """The cell that was run, or the one that defined the function."""
    file = frame.f_code.co_filename
    _, name = shell.compile.format_code_name(file) or ("", "")
    return "this cell" if file == first.f_code.co_filename else name


def _statement(frame: FrameType, line: int) -> tuple[int, str, str]:
    """The statement that reaches over a line: where it begins, itself, and its names' values."""
    lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:  # a file that has changed since
        return line, (lines[line - 1].strip() if line <= len(lines) else "…"), ""
    over = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or line)
    ]
    if not over:
        return line, "…", ""
    found = min(over, key=lambda node: (node.end_lineno or 0) - node.lineno)
    text = textwrap.shorten(ast.unparse(found), _LONG, placeholder=" …")
    return (
        found.lineno,
        text,
        _values(found.test if isinstance(found, ast.Assert) else found, frame),
    )


def _values(node: ast.AST, frame: FrameType) -> str:
    """What is named there, with its value; a property that reads a counter is not read again."""
    from pure_eval import Evaluator

    named = [
        f"{ast.unparse(nodes[0])} is {_value(value)}"
        for nodes, value in Evaluator.from_frame(frame).interesting_expressions_grouped(node)
        if isinstance(nodes[0], (ast.Name, ast.Attribute, ast.Subscript)) and not callable(value)
    ]
    *most, last = named or [""]
    return f"{', '.join(most)} and {last}" if most else last


def _value(value: object) -> str:
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = shown.maxlong = _SHORT
    return textwrap.shorten(shown.repr(value), _SHORT, placeholder=" …") or "…"
