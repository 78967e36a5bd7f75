"""Slips in a cell of Python, as beginners make them: one sentence, no traceback."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

import pytest
from support.kernels import Kernel

CELLS = [
    "from labsetup import *\n\nnet = two_hosts()",
    'guess = predict("the first?")',
    "guess.reveal(1)",
    'guess = predict("the second?")',
    'before = 1\n\nguess.reveal(2)\nprint("and on")',
    '%%xdp closed\n#include "xdp.h"\n\nint closed(struct xdp_md *ctx)\n{\n\treturn XDP_DROP;\n}',
    "with capture(net) as wire:\n    net.client.ping(net.server)",
    "def place(net):\n    inside = 1\n    return net.client.eth0",
]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory) -> Iterator[Kernel]:
    file = tmp_path_factory.mktemp("mine") / "a test.ipynb"
    cells = [{"cell_type": "code", "source": cell.splitlines(True)} for cell in CELLS]
    file.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "# x"}, *cells]}))
    one = Kernel()
    one.run(f"import os; os.environ['JPY_SESSION_NAME'] = {os.fspath(file)!r}")
    one.run(CELLS[0])
    yield one
    one.close()


def squeezed(said: str) -> str:
    return "".join(said.split())


def says(kernel: Kernel, cell: str, words: str) -> bool:
    """Whether a cell says these words and no traceback; breaks of lines do not count."""
    said = kernel.run(cell)
    assert "Traceback" not in said and "---" not in said, said
    return squeezed(words) in squeezed(said)


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        (CELLS[4], 'guess = predict("the second?")'),  # the nearest above
        (CELLS[2], 'guess = predict("the first?")'),
        ("closed.attach(net.server.eth0)", "%%xdp closed"),
        ("wire", "with capture(net) as wire:"),
        ("place(net)", "def place(net):"),
        ("before", "before = 1"),  # a cell that the notebook does not have
    ],
)
def test_a_cell_that_did_not_run_is_named(kernel, cell, line):
    kernel.run("globals().pop('before', None)")
    words = f"the cell that makes it has not run to its end; run the one with «{line}»"
    assert says(kernel, cell, words)


def test_the_line_is_named_where_a_cell_has_several(kernel):
    assert says(kernel, CELLS[4], "line 3: guess.reveal(2)")


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("silent_host()", "name 'silent_host' is not defined: type silent_hosts"),
        ("nett", "name 'nett' is not defined: type net"),
        ("true", "name 'true' is not defined: type True"),
        ("inside", "no cell has made it; check its spelling, or run the cell that makes it"),
        ("def of_mine():\n    return qqq\n\nof_mine()", "name 'qqq' is not defined: no cell"),
    ],
)
def test_a_name_that_nothing_has(kernel, cell, words):
    assert says(kernel, cell, words)


def test_a_program_that_was_refused(kernel):
    kernel.run('%%xdp odd\n#include "xdp.h"\n\nint odd(struct xdp_md *ctx) { return XDP_OD; }')
    assert says(kernel, "odd", "the last odd was refused; mend its cell and run it again")


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ('copies["icmp_packets"][0] + 1', "one number for each CPU; .sum adds them up"),
        ('copies["icmp_packets"][0] > 3', "one number for each CPU; .sum adds them up"),
        ('copies["icmp_packets"][0] - 3', "one number for each CPU; .sum adds them up"),
        ('3 - copies["icmp_packets"][0]', "one number for each CPU; .sum adds them up"),
        ('copies["icmp_packets"][0].sums', "no attribute 'sums': type sum"),
        ('copies["icmp_packets"][0].sum()', ".sum is a number; leave the () out"),
        ('copies["icmp_packets"] + 1', "a map has entries, and each its value"),
        ('shared["packets"][0].sum', "no copies; leave .sum out"),
        ("net.server.eth0.counters - 3", "from counters an earlier reading is taken"),
        ("watch(lambda: 1)", "watch() takes a dict as sources, not a function"),
        ("copies.run(Ether)", "bytes as packet, not the class Ether"),
        ('Program("xdp_pass.c")', 'Program("xdp_pass") is the one of bpf/'),
    ],
)
def test_what_is_no_number(kernel, cell, words):
    kernel.run('copies, shared = Program("icmp_count"), Program("count_shared")')
    assert says(kernel, cell, words)


C = '#include "xdp.h"\n\nint closed(struct xdp_md *ctx)\n{\n\treturn XDP_DROP;\n}'


@pytest.mark.parametrize("first", ["", "%xdp closed\n", "%% xdp closed\n", "%%XDP closed\n"])
def test_c_in_a_cell_that_does_not_say_so(kernel, first):
    assert says(kernel, first + C, "a cell of C has a first line that says so: %%xdp closed")


def test_c_in_a_text_of_python(kernel):
    said = kernel.run(f"made = Program('closed', '''{C}''')\nprint(made.run(IP()).verdict)")
    assert said == "XDP_DROP\n"


def test_all_else_keeps_its_traceback(kernel):
    assert "ZeroDivisionError" in kernel.run("1 / 0")
    assert "Traceback" in kernel.run("int.sum")
    assert "Traceback" in kernel.run("def late():\n    print(n)\n    n = 1\n\nlate()")
    assert "Traceback" in kernel.run("import types; exec('qq', types.ModuleType('lib').__dict__)")


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (
            "n = 1\nwhile True:\n    time.sleep(0.05)",
            "this cell was interrupted; run it again",
        ),
        (
            "import asyncio\nwhile True:\n    await asyncio.sleep(0.05)",
            "this cell was interrupted; run it again",
        ),
        ('net.server.run("ping 192.0.2.1")', "was interrupted; start() runs it beside the cells"),
    ],
)
def test_a_cell_that_is_interrupted(kernel, cell, words):
    kernel.run("import time")
    request = kernel.begin(cell)
    time.sleep(1)  # until it runs: nothing tells
    kernel.manager.interrupt_kernel()
    said = kernel.output(request)
    assert squeezed(words) in squeezed(said) and "Traceback" not in said


def test_the_last_words_of_what_took_too_long_begin_a_line(kernel):
    said = kernel.run('net.server.run("ping -i 0.1 192.0.2.1", timeout=1.5)')
    assert squeezed("give it an end of its own, as -c 3 does for ping") in squeezed(said)
    assert squeezed("At last it said: 64 bytes from 192.0.2.1") in squeezed(said)
