"""Plots and bars that move while the notebook goes on.

What moves stands in the page itself, not in an image: a page shows it at once and in the same
place, without the moment in which an image is loaded.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import inspect
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from ..arguments import checked, shown
from ..errors import LabError
from .plots import Frame, Picture, inside
from .readings import Readings, figures

# The names that drawings have for a page's colours, and JupyterLab's.
_COLOURS = (
    "--ink:var(--jp-ui-font-color0,currentColor);--faint:var(--jp-ui-font-color1,gray);"
    "--line:var(--jp-border-color0,#8a8a8a);--ground:var(--jp-layout-color0,transparent)"
)
MOSTLY = 9  # times as long as a picture takes to draw, nobody draws
_LEAST = 0.85  # of its width: then it scrolls, rather than to become too small to read


def live(widget: Any, otherwise: Mapping[str, str]) -> None:
    """Show a widget, or *otherwise* where a page has no kernel, by MIME type."""
    from IPython.display import display

    display(widget._repr_mimebundle_() | otherwise, raw=True)


def inline(picture: Picture) -> str:
    """A picture as part of the page, which keeps its place when it changes."""
    wide, high = f"{picture.width:g}", f"{picture.height:g}"
    return (
        f'<div tabindex="0" style="overflow-x:auto;{_COLOURS}">'
        f'<svg role="img" aria-label="{html.escape(repr(picture))}" width="{wide}" height="{high}" '
        f'viewBox="0 0 {wide} {high}" style="display:block;max-width:100%;height:auto;'
        f'min-width:{_LEAST * picture.width:.0f}px;font-family:system-ui,sans-serif">'
        f"{picture.drawing}</svg></div>"
    )


@contextlib.contextmanager
def progress_bar(total: int, what: str, wanted: bool = True) -> Iterator[Callable[[int], None]]:
    """A bar that fills while the block runs, in a notebook and where *wanted*; else nothing.

    It is gone when the block ends: what the block made stands in its place.

    Gives a function that takes how many of *total* are done.
    """
    from IPython import get_ipython

    if get_ipython() is None or not wanted:
        yield lambda done: None
        return
    import ipywidgets

    words = ipywidgets.Label(f"{what}: 0 of {total:,}")
    bar = ipywidgets.IntProgress(max=total, layout={"width": "160px"})
    box = ipywidgets.HBox([words, bar])
    live(box, {"text/plain": what})

    def shown(done: int) -> None:
        bar.value = done
        words.value = f"{what}: {done:,} of {total:,}"

    try:
        yield shown
    finally:
        box.layout.display = "none"


@contextlib.contextmanager
def moving(what: str) -> Iterator[Callable[[Callable[[], Picture]], None]]:
    """A place for a picture that changes while the block runs, in a notebook; else nothing.

    It is gone when the block ends, as a bar is.

    Args:
        what: is shown, for a page without a kernel.

    Gives a function that takes what draws the picture; it draws when the last one is a second old,
    and when it takes long less often, so that most of the time is for what is drawn.
    """
    from IPython import get_ipython

    if get_ipython() is None:
        yield lambda draw: None
        return
    import ipywidgets

    view, due, frame = ipywidgets.HTML(), 0.0, Frame([])
    live(view, {"text/plain": what})

    def shown(draw: Callable[[], Picture]) -> None:
        nonlocal due, frame
        begun = time.monotonic()
        if begun < due:
            return
        with inside(frame):
            picture = draw()
        view.value, frame = inline(picture), picture.frame
        due = time.monotonic() + max(1.0, MOSTLY * (time.monotonic() - begun))

    try:
        yield shown
    finally:
        view.layout.display = "none"


class Watch:
    """Values that are read again and again while the notebook goes on.

    Shown, it is a plot that moves; awaited, it waits for the last reading and gives the figure.

    Attributes:
        times: seconds since the start, one a reading.
        values: a list of readings for each name.
    """

    def __init__(
        self,
        sources: Mapping[str, Callable[[], float]],
        seconds: float,
        every: float,
        label: str,
        up_to: float | None = None,
    ) -> None:
        # Imported here: only notebooks that watch something wait for them.
        import ipywidgets

        self._readings = Readings(sources, seconds, every, label, up_to, self._show)
        self.times, self.values = self._readings.times, self._readings.values
        self._view = ipywidgets.HTML()
        self._view.value = self._with_caption(self._readings.empty())
        words = f"{', '.join(sources)}: a plot that moves while other cells run"
        live(self._view, {"text/plain": words})
        self._readings.begin()

    def _show(self, picture: Picture) -> None:
        self._view.value = self._with_caption(picture)

    def _with_caption(self, picture: Picture) -> str:
        last = [f"{name}: {figures(values[-1])}" for name, values in self.values.items() if values]
        if self._readings.error:
            last.append(f"ended, since {self._readings.error}")
        return inline(picture) + html.escape(f"{', '.join(last)} ({self._readings.taken})")

    def _fold(self) -> None:
        """The figure stands elsewhere now: one line remains here."""
        self._view.value = f"{html.escape(self._readings.taken)}, shown below"

    def picture(self) -> Picture:
        """The readings so far."""
        return self._readings.picture()

    def stop(self) -> Watch:
        """Read no more; what was read so far is the picture."""
        self._readings.stop()
        return self

    def __await__(self) -> Generator[Any, None, Picture]:
        try:
            yield from asyncio.to_thread(self._readings.wait).__await__()
        except asyncio.CancelledError:  # the reader interrupted the cell
            self._readings.stop()
            raise LabError("the plot was stopped; run the cell with watch() again") from None
        if self._readings.error:
            raise LabError(f"the plot ended early, since {self._readings.error}")
        picture = self.picture()
        picture.when_shown = self._fold
        return picture


@checked
def watch(
    sources: Mapping[str, Callable[[], float]],
    seconds: float = 5,
    every: float = 0.1,
    label: str = "",
    up_to: float | None = None,
) -> Watch:
    """Plot values live, for a bounded time, while traffic runs.

    Args:
        sources: a function without arguments for each name, called at every reading, in a thread
            of its own so that no cell holds it up.
        seconds: how long to go on, at most 60.
        every: seconds between readings, at least 0.1.
        label: what the values are, for the axis.
        up_to: the largest value to expect, where the axis ends; else it grows in large steps.

    Raises:
        LabError: for anything else.
    """
    if not isinstance(sources, Mapping) or not sources:
        raise LabError("watch() takes a dict: a name, and a function that reads its value")
    if not (0 < seconds <= 60 and every >= 0.1):
        raise LabError("watch() takes at most 60 seconds, and a reading every 0.1 s at most")
    if up_to is not None and not 0 < up_to < float("inf"):
        raise LabError("up_to is the largest value to expect, and more than 0")
    return Watch(sources, seconds, every, label, up_to)


@checked
def explore(picture: Callable[..., Picture], **choices: tuple[int, int] | Sequence[Any]) -> None:
    """Show a picture with a slider for each of its arguments, drawn again at every move.

    Args:
        picture: makes the picture from the values of the sliders.
        choices: for each argument the values it may take, first the one to begin with; a tuple of
            two numbers stands for all whole numbers between them.

    Raises:
        LabError: if the picture does not take these, or makes something else.
    """
    import ipywidgets
    from IPython import get_ipython

    _need_choices(picture, choices)
    sliders = {
        name: ipywidgets.IntSlider(min=values[0], max=values[1], description=name)
        if isinstance(values, tuple)
        else ipywidgets.SelectionSlider(options=sorted(values), value=values[0], description=name)
        for name, values in choices.items()
    }

    def drawn() -> Picture:
        return picture(**{name: slider.value for name, slider in sliders.items()})

    first = drawn()
    if not isinstance(first, Picture):
        raise LabError(
            f"explore() draws what {_name(picture)}() returns, and that is {shown(first)}; "
            "let it return plot(…)"
        )
    view = ipywidgets.HTML(inline(first))

    def redraw(_: object) -> None:
        try:
            with inside(first.frame):
                view.value = inline(drawn())
        except Exception as error:  # it is not a cell's: nobody else would show it
            view.value = f"no picture, since {html.escape(f'{type(error).__name__}: {error}')}"

    for slider in sliders.values():
        slider.observe(redraw, names="value")
    shell = get_ipython()
    otherwise = shell.display_formatter.format(first)[0] if shell else {"text/plain": repr(first)}
    live(ipywidgets.VBox([*sliders.values(), view]), otherwise)


def _name(picture: Callable[..., Picture]) -> str:
    name = str(getattr(picture, "__name__", ""))
    return name if name.isidentifier() else "the function"


def _need_choices(picture: Callable[..., Picture], choices: Mapping[str, Any]) -> None:
    """Refuse values that no slider can have, and names that the picture does not take."""
    for name, values in choices.items():
        is_right = _is_range(values) if isinstance(values, tuple) else _is_list(values)
        if not is_right:
            raise LabError(
                f"explore() takes for {name} two whole numbers, as in (1, 9), or a list of values, "
                f"not {shown(values)}"
            )
        if isinstance(values, tuple) and values[0] > values[1]:
            turned = values[::-1]
            raise LabError(
                f"explore() takes for {name} the lower number first: {turned}, not {values}"
            )
    try:
        taken = inspect.signature(picture)
    except (TypeError, ValueError):  # of a function that does not tell
        return
    try:
        taken.bind(**choices)
    except TypeError as error:
        each = ", ".join(taken.parameters) or "none"
        raise LabError(
            f"explore() makes a slider for each argument of {_name(picture)}(), which are: {each}; "
            f"{error}"
        ) from None


def _is_range(values: tuple[Any, ...]) -> bool:
    return len(values) == 2 and all(isinstance(one, int) for one in values)


def _is_list(values: Sequence[Any]) -> bool:
    """Whether all are of one kind, and in an order."""
    if len({type(one) for one in values}) != 1 or values[0] is None:
        return False
    with contextlib.suppress(TypeError):
        return bool(sorted(values))
    return False
