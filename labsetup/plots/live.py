"""Plots and bars that move while the notebook goes on."""

from __future__ import annotations

import asyncio
import contextlib
import html
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from ..arguments import checked, shown
from ..errors import LabError
from .plots import Picture, plot
from .style import MARKS, SERIES


def live(widget: Any, otherwise: Mapping[str, str]) -> None:
    """Show a widget, or *otherwise* where a page has no kernel, by MIME type."""
    from IPython.display import display

    display(widget._repr_mimebundle_() | otherwise, raw=True)


@contextlib.contextmanager
def progress_bar(total: int, what: str, wanted: bool = True) -> Iterator[Callable[[int], None]]:
    """A bar that fills while the block runs, in a notebook and where *wanted*; else nothing.

    Gives a function that takes how many of *total* are done.
    """
    from IPython import get_ipython

    if get_ipython() is None or not wanted:
        yield lambda done: None
        return
    import ipywidgets

    bar = ipywidgets.IntProgress(max=total, description="")
    live(ipywidgets.HBox([bar, ipywidgets.Label(what)]), {"text/plain": what})

    def shown(done: int) -> None:
        bar.value = done

    yield shown
    bar.value = total


_OFTEN = 0.25  # seconds from one drawing to the next
_SHARE = 4  # and at least so many times as long as the drawing took: readings come first


class Watch:
    """Values that are read again and again while the notebook goes on.

    Shown, it is a plot that moves; awaited, it waits for the last reading and gives the figure.

    Attributes:
        times: seconds since the start, one a reading.
        values: a list of readings for each name.
    """

    def __init__(
        self, sources: Mapping[str, Callable[[], float]], seconds: float, every: float, label: str
    ) -> None:
        # Imported here: only notebooks that watch something wait for them.
        import ipywidgets

        for name, read in sources.items():
            if not callable(read):
                raise LabError(f"watch() reads {name} again and again: give it a lambda: ...")
        self._sources, self._label, self._ended = dict(sources), label, False
        self.times: list[float] = []
        self.values: dict[str, list[float]] = {name: [] for name in sources}
        self._image = ipywidgets.Image(format="png", layout={"max_width": "700px"})
        self._caption = ipywidgets.HTML()
        words = f"{', '.join(sources)}: a plot that moves while other cells run"
        live(ipywidgets.VBox([self._image, self._caption]), {"text/plain": words})
        self.picture()  # the first one loads matplotlib, which takes longer than many readings
        self._task = asyncio.ensure_future(self._run(seconds, every))

    async def _run(self, seconds: float, every: float) -> None:
        """Read at fixed times, and once more at the end; draw as often as that leaves time for."""
        start = time.monotonic()
        to_draw = 0.0
        while True:
            now = time.monotonic() - start
            self._read(now)
            if now >= seconds or self._ended:
                self._show()
                return
            if now >= to_draw:
                self._show()
                drawn = time.monotonic() - start
                to_draw = drawn + max(_OFTEN, _SHARE * (drawn - now))
            passed = time.monotonic() - start
            due = min((passed // every + 1) * every, max(seconds, passed))
            await asyncio.sleep(due - passed)

    def _read(self, now: float) -> None:
        readings = {name: read() for name, read in self._sources.items()}
        self.times.append(now)
        for name, value in readings.items():
            self.values[name].append(value)

    def _show(self) -> None:
        self._image.value = self.picture().png
        last = [f"{html.escape(name)}: {round(v[-1], 1):,g}" for name, v in self.values.items()]
        self._caption.value = f"{', '.join(last)} ({self._taken})"

    @property
    def _taken(self) -> str:
        return f"{len(self.times)} reading{'s' if len(self.times) != 1 else ''}"

    def _draw(self, axes: Any) -> None:
        for (name, values), colour, mark in zip(self.values.items(), SERIES, MARKS, strict=False):
            axes.plot(
                self.times,
                values,
                color=colour,
                marker=mark,
                markersize=3,
                label=name,
                drawstyle="steps-post",  # nobody looked in between
            )
        axes.set_xlabel(f"seconds ({self._taken})")
        axes.set_ylabel(self._label)
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

    def picture(self) -> Picture:
        """The readings so far."""
        return plot(self._draw, f"{', '.join(self.values)} over time, {self._taken}")

    def stop(self) -> Watch:
        """Read no more; what was read so far is the picture."""
        self._ended = True
        return self

    def __await__(self) -> Generator[Any, None, Picture]:
        try:
            yield from self._task.__await__()
        except asyncio.CancelledError:  # the reader interrupted the cell
            raise LabError("the plot was stopped; run the cell with watch() again") from None
        return self.picture()


@checked
def watch(
    sources: Mapping[str, Callable[[], float]],
    seconds: float = 5,
    every: float = 0.1,
    label: str = "",
) -> Watch:
    """Plot values live, for a bounded time, while traffic runs.

    Args:
        sources: a function without arguments for each name, called at every reading.
        seconds: how long to go on, at most 60.
        every: seconds between readings, at least 0.1.
        label: what the values are, for the axis.

    Raises:
        LabError: for anything else.
    """
    if not isinstance(sources, Mapping):
        raise LabError("watch() takes a dict: a name, and a function that reads its value")
    if not (0 < seconds <= 60 and every >= 0.1):
        raise LabError("watch() takes at most 60 seconds, and a reading every 0.1 s at most")
    return Watch(sources, seconds, every, label)


@checked
def explore(picture: Callable[..., Picture], **choices: tuple[int, int] | Sequence[Any]) -> None:
    """Show a picture with a slider for each of its arguments, drawn again at every move.

    Args:
        picture: makes the picture from the values of the sliders.
        choices: for each argument the values it may take, first the one to begin with; a tuple of
            two numbers stands for all whole numbers between them.
    """
    import ipywidgets

    for name, values in choices.items():
        if isinstance(values, tuple):
            is_range = len(values) == 2 and all(isinstance(one, int) for one in values)
        else:
            is_range = len({type(one) for one in values}) == 1 and values[0] is not None
        if not is_range:
            raise LabError(
                f"explore() takes for {name} two whole numbers, as in (1, 9), or a list of values, "
                f"not {shown(values)}"
            )
    sliders = {
        name: ipywidgets.IntSlider(min=values[0], max=values[1], description=name)
        if isinstance(values, tuple)
        else ipywidgets.SelectionSlider(options=sorted(values), value=values[0], description=name)
        for name, values in choices.items()
    }

    def drawn() -> Picture:
        return picture(**{name: slider.value for name, slider in sliders.items()})

    first = drawn()
    image = ipywidgets.Image(value=first.png, format="png", layout={"max_width": "700px"})
    for slider in sliders.values():
        slider.observe(lambda _: setattr(image, "value", drawn().png), names="value")
    live(ipywidgets.VBox([*sliders.values(), image]), first._repr_mimebundle_())
