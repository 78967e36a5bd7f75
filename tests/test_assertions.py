"""No reader meets a bare AssertionError: it says which line, with which values, and what next."""

from __future__ import annotations

import re
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from support.host import REPO
from support.kernels import Kernel

from labsetup.practice.assertions import NEXT


@pytest.fixture(scope="module")
def kernel():
    started = Kernel()
    yield started
    started.close()


def squeezed(text: str) -> str:
    """Without spaces: a kernel's lines come joined."""
    return "".join(text.split())


CELLS = {
    "two names": (
        "few, many = 3, 30\nassert few == many",
        "line 2 of this cell does not hold, «assert few == many», where few is 3 and many is 30;",
    ),
    "over several lines": (
        "total = 29\nassert (\n    total\n    == 30\n)",
        "line 2 of this cell does not hold, «assert total == 30», where total is 29;",
    ),
    "words of its own": (
        'assert 1 > 2, "the second\\nis more"',
        "and says: the second is more;",
    ),
    "an attribute and an element": (
        "import types\nat = types.SimpleNamespace(x=1)\nd = {'k': 2}\nassert at.x == d['k']",
        "at.x is 1",
    ),
    "a long value": ("long = list(range(999))\nassert not long", "where long is [0, 1, 2, 3,"),
    "a loop": (
        "for n in range(3):\n    assert n < 1",
        "line 2 of this cell does not hold, «assert n < 1», where n is 1;",
    ),
    "a function": (
        "def own(x):\n    y = x\n    assert y\n\nown(0)",
        "line 3 of this cell does not hold, «assert y», where y is 0;",
    ),
    "raised by hand": ('raise AssertionError("odd")', "says: odd;"),
    "nothing to name": ("assert False", "line 1 of this cell does not hold, «assert False»;"),
    "awaited": (
        "import asyncio\nawait asyncio.sleep(0)\nn = 1\nassert n == 2",
        "line 4 of this cell does not hold, «assert n == 2», where n is 1;",
    ),
    "a library's": (
        "import numpy\nnumpy.testing.assert_equal(1, 2)",
        "line 2 of this cell, «numpy.testing.assert_equal(1, 2)», came to line",
    ),
    "a value whose repr raises": (
        "class Bad:\n    def __repr__(self): raise ValueError\n    __len__ = lambda self: 0\n"
        "bad = Bad()\nassert bad",
        "line 5 of this cell does not hold, «assert bad», where bad is <Bad instance at",
    ),
}


@pytest.mark.parametrize(("cell", "words"), CELLS.values(), ids=CELLS)
def test_a_cell_says_what_did_not_hold(kernel, cell, words):
    said = kernel.run(cell)
    assert said.startswith("AssertionError: line ")
    assert "Traceback" not in said
    assert squeezed(words) in squeezed(said)
    assert squeezed(said).endswith(squeezed(NEXT))


def test_a_function_of_another_cell_is_named_by_it(kernel):
    kernel.run("def older(x):\n    assert x > 1")
    said = squeezed(kernel.run("older(0)"))
    assert re.search(r"line2ofIn\[\d+\]doesnothold,«assertx>1»,wherexis0;", said)


def test_what_a_property_gives_is_not_asked_for_again(kernel):
    kernel.run(
        "class Once:\n    asked = 0\n    @property\n    def value(self):\n"
        "        self.asked += 1\n        return 0\n\nonce = Once()"
    )
    kernel.run("assert once.value")
    assert kernel.run("print(once.asked)") == "1\n"


def test_all_else_is_told_as_before(kernel):
    assert "ZeroDivisionError" in kernel.run("1 / 0")
    kernel.run("from labsetup.errors import LabError")
    assert kernel.run("raise LabError('so')") == "LabError: so"


@pytest.fixture
def notebook(tmp_path):
    cell = nbformat.v4.new_code_cell("n = 29\nassert n == 30")
    made = nbformat.v4.new_notebook(cells=[cell])
    made.metadata.kernelspec = {"name": "xdp-lab", "display_name": "XDP Lab"}
    nbformat.write(made, tmp_path / "made.ipynb")
    return made


WORDS = "line 2 of this cell does not hold, «assert n == 30», where n is 29;"


def test_nbclient_tells_it(notebook):
    with pytest.raises(CellExecutionError) as caught:
        NotebookClient(notebook, kernel_name="xdp-lab").execute()
    (output,) = notebook.cells[0].outputs
    assert (output.ename, output.evalue) == ("AssertionError", f"{WORDS} {NEXT}")
    assert WORDS in " ".join(str(caught.value).split())


def test_nbval_tells_it(notebook, tmp_path):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval", "-q"]
    command += ["-c", str(REPO / "pyproject.toml"), f"--rootdir={tmp_path}", "-o", "addopts="]
    ran = subprocess.run(
        [*command, str(tmp_path / "made.ipynb")], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert WORDS in " ".join(ran.stdout.split())


PLACES = {
    "one of several lines": ("x = 1\nProgram('none')", "line 2: Program('none')"),
    "in a function": ("def own():\n    Program('none')\n\nown()", "line 2: Program('none')"),
    "the only line": ("Program('none')", ""),
    "in C": ("%%xdp own\nint own(struct xdp_md *ctx)\n{\n\treturn\n}", ""),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_sentence_names_the_line_of_a_cell_that_has_several(kernel, name):
    cell, place = PLACES[name]
    kernel.run("from labsetup import *")
    said = kernel.run(cell)
    assert said.endswith(place) and "get_ipython" not in said
    assert bool(place) == bool(re.search(r"line \d+: Program", said))
