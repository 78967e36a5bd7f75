"""A plot that moves: how long, in which form, and that one can end it."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure

from labsetup import watch
from labsetup.errors import LabError
from labsetup.plots.live import Watch
from labsetup.plots.readings import Readings


@pytest.fixture(autouse=True)
def _shell() -> Any:
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def drawn(view: Watch) -> Any:
    axes = Figure().subplots()
    view._readings.draw(axes, len(view.times))
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


def test_values_that_are_equal_hide_none_of_the_others() -> None:
    """Each has a row of its own, also the sixth, for which there is no colour of its own."""

    async def see() -> Watch:
        view = watch({f"s{number}": lambda: 20.0 for number in range(1, 7)}, 0.3, 0.1, up_to=25)
        await view
        return view

    axes = drawn(asyncio.run(see()))
    lines = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    heights = [line.get_ydata()[0] for line in lines]
    assert len(heights) == 6 and heights == sorted(set(heights), reverse=True)
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"s{n}" for n in range(1, 7)]
    assert axes.get_title(loc="left") == "each row from 0 to 25"


def test_both_axes_stay_where_they_are_and_grow_seldom() -> None:
    """A counter that grows a hundredfold, read for longer than the first axis is."""
    count = itertools.count(1)
    readings = Readings({"packets": lambda: next(count)}, 60, 0.1, "", None, lambda picture: None)
    seen = []
    for second in range(50):
        readings._start = time.monotonic() - second
        readings._read()
        axes = Figure().subplots()
        readings.draw(axes, len(readings.times))
        seen.append((axes.get_xlim(), axes.get_ylim()))
    ends, tops = ([one[axis][1] for one in seen] for axis in (0, 1))
    assert ends[0] == 10 and ends[-1] == 60 and len(set(ends)) <= 4
    assert tops[0] == 5 and tops[-1] >= 50 and len(set(tops)) <= 3


def test_a_source_that_fails_ends_the_plot_in_words() -> None:
    gone = iter([1.0, 2.0])

    async def see() -> None:
        await watch({"left": lambda: next(gone)}, seconds=5, every=0.1)

    with pytest.raises(LabError, match="the plot ended early, since StopIteration"):
        asyncio.run(see())


def test_what_is_no_number_is_refused_at_once() -> None:
    with pytest.raises(LabError, match="the function for name gave 'lb', which is no number"):
        watch({"name": lambda: "lb"})  # type: ignore[dict-item, return-value]
