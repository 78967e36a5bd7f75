"""Values read by the clock, and the plot of them: a row each, in which a step is a step."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import LabError
from .plots import HEIGHT, WIDTH, Picture, laid_out_like, plot
from .style import SERIES

OFTEN = 0.25  # seconds from one drawing to the next
SHARE = 2  # and at least so many times as long as the drawing took: readings come first
FIRST_SECONDS = 10  # of the axis, where more may come: it grows to twice as many
ROOM = 3  # times what was read, when the other axis has to grow: it seldom does
ROW = 46  # pixels of a value's row
LEFT, BELOW, RIGHT, ABOVE = 60, 46, 72, 28  # pixels around the axes
LETTER = 8  # pixels
BAND = 1.3  # of a row's own height, from one row to the next


def figures(value: float) -> str:
    """A value as a reader sees it."""
    return f"{round(value, 1):,g}"


def nice(least: float) -> float:
    """1, 2 or 5 times a power of ten, not below *least*."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(one * power for one in (1, 2, 5, 10) if one * power >= least * (1 - 1e-9))


class Readings:
    """A thread that reads, and one that draws, so that neither waits for the other or for a cell.

    Attributes:
        times: seconds since the start, one a reading.
        values: a list of readings for each name.
        error: why it ended early, or nothing.
    """

    def __init__(
        self,
        sources: Mapping[str, Callable[[], float]],
        seconds: float,
        every: float,
        label: str,
        up_to: float | None,
        show: Callable[[Picture], None],
    ) -> None:
        for name, read in sources.items():
            if not callable(read):
                raise LabError(f"watch() reads {name} again and again: give it a lambda: ...")
        self._sources, self._label, self._show = dict(sources), label, show
        self._seconds, self._every = seconds, every
        self.times: list[float] = []
        self.values: dict[str, list[float]] = {name: [] for name in sources}
        self.error = ""
        self._low, self._top, self._end = 0.0, up_to or 0.0, min(seconds, FIRST_SECONDS)
        self._stopped, self._over = threading.Event(), threading.Event()
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for work, name in ((self._read_on, "readings"), (self._draw_on, "drawings"))
        ]

    def begin(self) -> None:
        """Take the first reading, and let the others follow."""
        self._start = time.monotonic()
        self._read()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Read once more, and then no more."""
        self._stopped.set()

    def wait(self) -> None:
        """Until the last reading is drawn."""
        for thread in self._threads:
            thread.join()

    def _read_on(self) -> None:
        """Read at fixed times, and once more at the end."""
        turn, ended = 0, False
        try:
            while not ended:
                passed = time.monotonic() - self._start
                turn = max(turn, math.floor(passed / self._every)) + 1
                due = min(turn * self._every, self._seconds)
                ended = self._stopped.wait(max(0.0, due - passed)) or due == self._seconds
                self._read()
        except Exception as error:
            self.error = str(error) if isinstance(error, LabError) else repr(error)
        finally:
            self._over.set()

    def _read(self) -> None:
        now = time.monotonic() - self._start
        readings = {name: _number(name, read()) for name, read in self._sources.items()}
        self.times.append(now)
        for name, value in readings.items():
            self.values[name].append(value)
        while now > self._end:
            self._end = min(2 * self._end, max(self._seconds, now))
        known = [value for value in readings.values() if math.isfinite(value)]
        if (most := max([0.0, *known])) > self._top or not self._top:
            self._top = nice(ROOM * most if most else 1)
        if (least := min([0.0, *known])) < self._low:
            self._low = -nice(-ROOM * least)

    def _draw_on(self) -> None:
        try:
            while not self._over.is_set():
                begun = time.monotonic()
                self._show(self.picture())
                took = time.monotonic() - begun
                self._over.wait(max(OFTEN - took, SHARE * took))
            self._end = self.times[-1] or self._end
            self._show(self.picture())
        except Exception as error:
            self.error = self.error or f"it could not be drawn: {error!r}"
            self._stopped.set()

    @property
    def taken(self) -> str:
        """How many readings there are, and in which time."""
        number = len(self.times)
        return f"{number} reading{'s' if number != 1 else ''} in {max([0, *self.times]):.1f} s"

    def empty(self) -> Picture:
        """The place of the plot, before there is one."""
        rows, longest = len(self.values), max(map(len, self.values))
        height = HEIGHT if rows == 1 else ABOVE + BELOW + ROW * rows
        left = LEFT if rows == 1 else max(LEFT // 2, 10 + LETTER * longest)
        picture = Picture("", f"{', '.join(self.values)} over time", height)
        wide, high = WIDTH - left - RIGHT, height - BELOW - ABOVE
        place = (left / WIDTH, BELOW / height, wide / WIDTH, high / height)
        picture.places = [place]
        return picture

    def picture(self) -> Picture:
        """The readings so far."""
        number = len(self.times)  # both threads go on meanwhile
        told = [
            f"{name} from {figures(own[0])} to {figures(own[-1])}, "
            f"at least {figures(min(own))}, at most {figures(max(own))}"
            for name, own in ((name, values[:number]) for name, values in self.values.items())
        ]
        words = f"{', '.join(self.values)} over time, {self.taken}: {'; '.join(told)}"
        frame = self.empty()
        with laid_out_like(frame):
            return plot(lambda axes: self.draw(axes, number), words, height=frame.height)

    def draw(self, axes: Any, number: int) -> None:
        """A row for each value, the first on top; one alone has the axis to itself."""
        low, high, rows = self._low, self._top - self._low, len(self.values)
        unit, shift = (high, low) if rows == 1 else (1.0, 0.0)

        def at(value: float, base: float) -> float:
            return unit * (base + (value - low) / high) + shift

        times = self.times[:number]
        bases = [BAND * (rows - 1 - place) for place in range(rows)]
        for place, (base, values) in enumerate(zip(bases, self.values.values(), strict=True)):
            colour = SERIES[place % len(SERIES)]
            heights = [at(value, base) for value in values[:number]]
            # Nobody looked in between: each stays until the next reading.
            axes.fill_between(times, heights, at(0, base), step="post", color=colour, alpha=0.2)
            axes.plot(times, heights, color=colour, drawstyle="steps-post", lw=2, clip_on=False)
            last = (1.01, heights[-1])
            axes.text(*last, figures(values[number - 1]), transform=axes.get_yaxis_transform())
        axes.set_xlim(0, self._end)
        axes.set_xlabel("seconds")
        if rows == 1:
            axes.set_ylim(self._low, self._top)
            axes.set_ylabel(self._label or next(iter(self.values)))
            return
        span = f"each row from {figures(self._low)} to {figures(self._top)}"
        axes.set_title(f"{self._label}, {span}" if self._label else span, loc="left")
        axes.set_ylim(-0.05, BAND * (rows - 1) + 1.05)
        axes.set_yticks([base + 0.5 for base in bases], list(self.values))
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        for base in bases:
            axes.axhline(at(0, base), color="gray", linewidth=0.8, zorder=1)


def _number(name: str, value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise LabError(f"the function for {name} gave {value!r}, which is no number") from None
