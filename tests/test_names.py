"""A cell of C may not take a name that Python needs."""

from __future__ import annotations

import builtins
import keyword

import pytest
from IPython.core.interactiveshell import InteractiveShell

from labsetup import LabError
from labsetup.practice import c_cell
from labsetup.practice import exercise as exercises

C = "int {}(struct xdp_md *ctx) {{ return XDP_PASS; }}\n"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    one = InteractiveShell()
    monkeypatch.setattr(c_cell, "get_ipython", lambda: one)
    return one


@pytest.mark.parametrize("name", ["print", "list", "class", "None", "lambda", "open"])
def test_a_word_of_pythons_is_refused(shell: InteractiveShell, name: str) -> None:
    before = shell.user_ns.get(name)
    with pytest.raises(LabError, match=rf"^{name} is a word of Python's own; call .* my_{name}$"):
        c_cell.xdp(name, C.format(name))
    assert shell.user_ns.get(name) is before


@pytest.mark.parametrize("line", ["", "a-b", 'my"', "2nd", "one two"])
def test_what_is_no_name_is_refused(shell: InteractiveShell, line: str) -> None:
    with pytest.raises(LabError, match="a cell of C begins with %%xdp NAME"):
        c_cell.xdp(line, C.format("one"))


def test_no_exercise_has_such_a_name() -> None:
    names = [one.name for one in exercises.every().values()]
    assert not [name for name in names if keyword.iskeyword(name) or hasattr(builtins, name)]
