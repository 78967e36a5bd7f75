"""A plot that moves: how long, in which form, and that one can end it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure

from labsetup import watch
from labsetup.plots.live import Watch


@pytest.fixture(autouse=True)
def _shell() -> Any:
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def drawn(view: Watch) -> Any:
    axes = Figure().subplots()
    view._draw(axes)
    return axes


def test_it_ends_when_it_is_told_to() -> None:
    async def see() -> tuple[Watch, float]:
        begun = asyncio.get_running_loop().time()
        view = watch({"one": lambda: 1.0}, seconds=60, every=0.1)
        await asyncio.sleep(0.5)
        await view.stop()
        return view, asyncio.get_running_loop().time() - begun

    view, took = asyncio.run(see())
    assert took < 30
    assert 1 <= len(view.times) == len(view.values["one"])


def test_a_value_that_jumps_is_drawn_as_a_step() -> None:
    async def see() -> Watch:
        view = watch({"share": lambda: 20.0}, 0.3, 0.1, label="% of the flows")
        await view
        return view

    axes = drawn(asyncio.run(see()))
    assert [line.get_drawstyle() for line in axes.lines] == ["steps-post"]
    assert axes.get_ylabel() == "% of the flows"
