"""A command that failed where nobody looks is told under its cell."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from support.kernels import Kernel

SAID = "lab: this failed, and nothing here looks at it:\n"


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    one = Kernel()
    one.run("from labsetup import *; net = two_hosts()")
    yield one
    one.close()


def test_in_the_middle_of_a_cell(kernel):
    said = kernel.run('net.client.run("ip link set eth9 up")\nnet.client.run("true")\nprint(1)')
    assert said == (
        f"1\n{SAID}$ ip netns exec client ip link set eth9 up\n"
        'Cannot find device "eth9"\n(exit status 1)\n'
    )
    assert kernel.run("1") == ""


@pytest.mark.parametrize(
    "cell",
    [
        'net.client.run("false")',  # the last line is shown
        'said = net.client.run("false"); print(said.status)',
        'if "x" in net.client.run("false"): pass',
        'print(net.client.run("false"))',
        'with net.client.start("false"): pass',
        "net.client.ping(net.server)",
        'net.client.start("sleep 100"); net.client.start("sleep 100")',  # it ends the first
    ],
)
def test_not_where_one_looks(kernel, cell):
    assert "nothing here looks" not in kernel.run(cell)


def test_in_a_function_of_the_reader_and_a_loop(kernel):
    kernel.run('def down(name):\n    net.client.run(f"ip link set {name} down")')
    said = kernel.run('for place in range(5):\n    down(f"eth{place + 7}")')
    assert said.count(SAID) == 3 and "eth9" in said and "eth10" not in said
    assert said.endswith("lab: and 2 commands more failed\n")


def test_beside_the_notebook(kernel):
    kernel.run("server = net.server.start(\"sh -c 'sleep 0.3; echo address in use; exit 3'\")")
    time.sleep(0.6)  # until it has failed; the next cell tells
    assert kernel.run("1") == (
        f"{SAID}$ ip netns exec server sh -c 'sleep 0.3; echo address in use; exit 3'\n"
        "address in use\n(exit status 3)\n"
    )
    kernel.run('net.server.start("sleep 100").kill()')
    assert kernel.run("1") == ""


def test_not_what_the_lab_runs_for_itself(kernel):
    cell = 'ping = net.client.ping("192.0.2.222", count=1)\nprint(ping.received)'
    assert kernel.run(cell) == "0\n"
