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


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("no-answers", "no-answers is no name in Python; call it no_answers"),
        ("no-answers --check 4.1", "no-answers is no name in Python; call it no_answers"),
        ("2nd", "2nd is no name in Python; call it my_2nd"),
        ('my"', 'my" is no name in Python; call it my'),
        ("", "the name is missing: type %%xdp NAME, NAME being what to call it"),
        ("--check 4.1", "the name is missing: type %%xdp NAME --check 4.1, NAME being"),
        ("foo --chek 4.1", "--chek is no option; the only one is --check: %%xdp foo --check 4.1"),
        ("foo -check 4.1", "-check is no option; the only one is --check: %%xdp foo --check 4.1"),
        (
            "foo --check=4.1",
            "--check=4.1 is no option; the only one is --check: %%xdp foo --check 4.1",
        ),
        ("foo --check", "--check wants a number: %%xdp foo --check 2.1"),
        ("no_answers --check", "--check wants a number: %%xdp no_answers --check 4.1"),
        ("foo 4.1", "--check stands before the number: %%xdp foo --check 4.1"),
        ("foo --check 4.1 now", "after the number nothing follows; type %%xdp foo --check 4.1"),
        ("no answers", "a name is one word: no_answers"),
    ],
)
def test_a_first_line_says_which_part_is_wrong(
    shell: InteractiveShell, line: str, says: str
) -> None:
    before = set(shell.user_ns)
    with pytest.raises(LabError) as caught:
        c_cell.xdp(line, C.format("one"))
    assert str(caught.value).startswith("a cell of C begins with %%xdp NAME, and ")
    assert says in str(caught.value)
    assert set(shell.user_ns) == before


def test_no_exercise_has_such_a_name() -> None:
    names = [one.name for one in exercises.every().values()]
    assert not [name for name in names if keyword.iskeyword(name) or hasattr(builtins, name)]
