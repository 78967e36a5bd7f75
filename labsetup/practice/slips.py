"""A name that the reader's Python has, and that no cell has made: told where it is made."""

from __future__ import annotations

import ast
import builtins
import difflib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ..errors import line_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

NEAR = 0.8  # of two names, as difflib measures it: silent_host and silent_hosts, not net and set


def in_words(error: NameError, trace: TracebackType, shell: InteractiveShell) -> str:
    """A name that the reader's code has and no cell made, as a sentence; else empty."""
    name = error.name
    if type(error) is not NameError or not name or not line_of(trace):
        return ""
    if why := _became_of(name):
        mend = "run" if why == "interrupted" else "mend its cell and run"
        return f"{error}: the last {name} was {why}; {mend} it again"
    if line := _made_by(name, shell):
        return f"{error}: the cell that makes it has not run to its end; run the one with «{line}»"
    names = {one.lower(): one for one in [*dir(builtins), *shell.user_ns] if one[0] != "_"}
    if near := difflib.get_close_matches(name.lower(), names, 1, NEAR):
        return f"{error}: type {names[near[0]]}"
    return f"{error}: no cell has made it; check its spelling, or run the cell that makes it"


def _became_of(name: str) -> str:
    from ..network.session import current  # what an error needs alone is loaded with it
    from .notebook import Refused

    return current().one(Refused).get(name, "")


def _made_by(name: str, shell: InteractiveShell) -> str:
    """The line of the notebook that gives this name something; empty if none does.

    It is the nearest above the cell that runs, or else the first below.
    """
    file = Path(os.environ.get("JPY_SESSION_NAME", ""))
    try:
        cells = json.loads(file.read_text())["cells"] if file.suffix == ".ipynb" else []
        code = ["".join(one["source"]) for one in cells if one["cell_type"] == "code"]
    except (OSError, ValueError, LookupError, TypeError):  # moved, or half written
        return ""
    history = shell.history_manager
    runs = history.input_hist_raw[-1] if history else ""
    at = code.index(runs) if runs in code else len(code)
    for source in [*reversed(code[:at]), *code[at + 1 :]]:
        for made, line in _names(source):
            if made == name:
                return source.splitlines()[line - 1].strip()
    return ""


def _names(source: str) -> Iterator[tuple[str, int]]:
    """What a cell makes, whether it is Python or C, each with its line."""
    if c := re.match(r"%%xdp\s+(\w+)", source):
        yield c[1], 1
        return
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a magic, or what nobody has mended yet
        return
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield statement.name, statement.lineno
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id, node.lineno
            elif isinstance(node, ast.alias):
                yield (node.asname or node.name).partition(".")[0], node.lineno
