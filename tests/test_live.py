"""A plot that moves: read by the clock, drawn when there is time for it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from labsetup.errors import LabError
from labsetup.plots.live import Watch, explore, watch


def watched(slow: float = 0, blocked: float = 0, seconds: float = 1.5) -> Watch:
    """Watch a clock, where a drawing takes *slow* seconds and a cell holds the loop up."""

    class Slow(Watch):
        def _show(self, picture):
            time.sleep(slow)
            super()._show(picture)

    async def main() -> Watch:
        begun = time.monotonic()
        clock = Slow({"clock": lambda: time.monotonic() - begun}, seconds, 0.1, "seconds")
        await asyncio.sleep(0)
        time.sleep(blocked)
        await clock
        return clock

    return asyncio.run(main())


@pytest.mark.alone
def test_it_reads_by_the_clock_however_long_a_drawing_takes():
    clock = watched(slow=0.3)
    assert len(clock.times) >= 13, "of 16: within 20 % of what was promised"
    apart = [v - at for at, v in zip(clock.times, clock.values["clock"], strict=True)]
    assert max(apart) - min(apart) < 0.1
    assert 1.5 <= clock.times[-1] < 2.5


@pytest.mark.alone
def test_it_reads_by_the_clock_though_a_cell_holds_the_loop_up():
    clock = watched(blocked=2)
    assert len(clock.times) >= 13, "of 16"
    assert 1.5 <= clock.times[-1] < 2


def test_it_says_how_many_readings_it_took():
    clock = watched(seconds=0.5)
    words = repr(clock.picture())
    assert words.startswith(f"plot: clock over time, {len(clock.times)} readings in 0.5 s: clock")


def test_what_cannot_be_watched_is_refused_in_words():
    one = {"x": lambda: 1}
    cases: list[tuple[Any, Any, str]] = [
        (lambda: 0, {}, "takes a dict"),
        ({"x": 1}, {}, "give it a lambda"),
        ({}, {}, "takes a dict"),
        (one, {"up_to": 0}, "more than 0"),
        (one, {"seconds": 61}, "at most 60 seconds"),
        (one, {"every": 0.01}, "every 0.1 s at most"),
    ]
    for sources, options, words in cases:
        with pytest.raises(LabError, match=words):
            watch(sources, **options)


def test_what_cannot_be_explored_is_refused_in_words():
    def play(servers, rows=64):
        return servers

    cases: list[tuple[dict[str, Any], str]] = [
        ({}, r"each argument of play\(\), which are: servers, rows; missing .* 'servers'$"),
        ({"server": (5, 100), "rows": [64]}, "which are: servers, rows; .*'server"),
        ({"servers": (1, 9), "row": [64]}, "which are: servers, rows; .*'row'$"),
        ({"servers": (100, 5), "rows": [64]}, r"lower number first: \(5, 100\), not \(100, 5\)$"),
        ({"servers": [{}, {}]}, "two whole numbers, as in"),
        ({"servers": (1, 9)}, r"what play\(\) returns, and that is 1; let it return plot"),
    ]
    for choices, words in cases:
        with pytest.raises(LabError, match=rf"^explore\(\) .*{words}"):
            explore(play, **choices)
