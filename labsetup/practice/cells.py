"""Cells that begin with %%xdp: C in a notebook."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from ..errors import LabError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

C = re.compile(r"^\s*\w[\w *]*?(\w+)\s*\(\s*struct xdp_md\b", re.MULTILINE)
MISSPELT = re.compile(r"(?!%%xdp\b)%%?\s*(?i:xdp)\b")


def register(shell: InteractiveShell) -> None:
    """Teach IPython such cells; what they need is loaded with the first one."""

    def xdp(line: str, cell: str) -> None:
        from .c_cell import xdp as run

        run(line, cell)

    xdp.__doc__ = "``%%xdp NAME``: make a Program of the C in this cell, and call it NAME."
    magics: Any = shell.magics_manager
    magics.register_function(xdp, magic_kind="cell")
    if _at_the_top not in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.append(_at_the_top)


def _at_the_top(lines: list[str]) -> list[str]:
    """Refuse a cell whose %%xdp is not its first line: Python would take the C for Python."""
    words = [line for line in lines if line.strip()]
    if any(line.startswith("%%xdp") for line in words[1:]):
        raise LabError("%%xdp has to be the first line of its cell; move what stands above it")
    if words and (MISSPELT.match(words[0]) or not words[0].startswith("%%")):
        _not_as_python("".join(lines))
    return lines


def _not_as_python(cell: str) -> None:
    """Refuse a cell of C that does not say that it is one; C in a text of Python's is none."""
    if not (found := C.search(cell)):
        return
    try:
        ast.parse(cell)
    except SyntaxError:
        raise LabError(
            f"this is C, and a cell of C has a first line that says so: %%xdp {found[1]}"
        ) from None
