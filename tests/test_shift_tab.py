"""What Shift+Tab shows of the lab's names: what they take, and what each argument means."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import pytest
from support.kernels import Kernel

import labsetup

PUBLIC = {name: getattr(labsetup, name) for name in labsetup.__dir__()}
OURS = sorted(
    name
    for name, thing in PUBLIC.items()
    if callable(thing) and thing.__module__.startswith("labsetup")
)


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    kernel = Kernel()
    kernel.run("from labsetup import *\nnet = two_hosts()")
    yield kernel
    kernel.close()


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("Program", "source"),
        ("two_hosts", "ipv6"),
        ("net.client.ping", "count"),
        ("check", "answer"),
        ("ecmp", "servers"),
    ],
)
def test_in_a_notebook(kernel: Kernel, name: str, argument: str) -> None:
    shown = re.sub(r"\x1b\[[0-9;]*m", "", kernel.inspected(name))
    signature, _, text = shown.partition("Docstring:")
    assert re.search(rf"ignature:\s*{re.escape(name)}\([^)]*\b{argument}\b", signature), shown
    assert re.search(rf"Args:\n(.*\n)*?\s+{argument}: ", text), shown


@pytest.mark.parametrize("name", OURS)
def test_it_says_what_it_takes(name: str) -> None:
    thing = PUBLIC[name]
    said = inspect.getdoc(thing) or ""
    assert said
    if inspect.isclass(thing):
        if issubclass(thing, BaseException):
            return
        said += inspect.getdoc(thing.__init__) or ""
    taken = inspect.signature(thing).parameters
    assert not taken or "Args:" in said, f"{name} takes {', '.join(taken)}"
    for argument in taken:
        assert re.search(rf"^\s+\**{argument}(, \**\w+)*: ", said, re.MULTILINE), argument
