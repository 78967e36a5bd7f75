"""How many connections broke, by way and by event: what a loop over both fills in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..arguments import checked, whole
from ..errors import LabError
from ..plots.live import progress_bar
from ..plots.plots import Picture, plot
from ..plots.style import HATCHES, SERIES

LEGEND = 3  # ways whose names fit side by side


class Scoreboard:
    """A field for each way and each event: how many connections broke.

    Attributes:
        ways: the rows, by name.
        events: the columns, by name.
        of: how many connections there were, in each field.
    """

    @checked
    def __init__(self, ways: Iterable[str], events: Iterable[str], of: int) -> None:
        """Make it with all fields empty.

        Args:
            ways: names of the rows, at most five: each has a colour of its own.
            events: names of the columns.
            of: how many connections each field counts.
        """
        self.ways, self.events, self.of = list(ways), list(events), of
        whole("the number of connections", of, 1, 10**9)
        if not all(isinstance(name, str) for name in self.ways + self.events):
            raise LabError("Scoreboard() takes names of ways and of events, as texts")
        if not (1 <= len(self.ways) <= len(SERIES) and self.events):
            raise LabError(f"Scoreboard() takes 1 to {len(SERIES)} ways, and at least one event")
        for names in (self.ways, self.events):
            if twice := [name for name in names if names.count(name) > 1]:
                raise LabError(f"{twice[0]!r} is named twice; Scoreboard() takes each name once")
        self._broken: dict[tuple[str, str], int] = {}

    def fields(self) -> Iterator[tuple[str, str]]:
        """Go through the fields, row by row; a bar shows how far the loop is."""
        fields = [(way, event) for way in self.ways for event in self.events]
        what = f"{len(self.events)} events, by {', '.join(self.ways)}"
        with progress_bar(len(fields), what) as shown:
            for done, field in enumerate(fields):
                shown(done)
                yield field

    def row(self, way: str) -> list[int]:
        """What broke by this way, in the order of the events.

        Raises:
            LabError: for a field that is not there, or still empty.
        """
        return [self[way, event] for event in self.events]

    def plot(self) -> Picture:
        """A group of bars for each event, a bar for each way."""
        many = len(self.ways) > LEGEND
        width = (0.9 if many else 0.8) / len(self.ways)

        def draw(axes: Any) -> None:
            for place, way in enumerate(self.ways):
                shift = width * (place - (len(self.ways) - 1) / 2)
                at = [number + shift for number in range(len(self.events))]
                bars = axes.bar(
                    at,
                    self.row(way),
                    0.93 * width,
                    color=SERIES[place],
                    label=way,
                    hatch=HATCHES[place],
                )
                axes.bar_label(bars, padding=2, fontsize="x-small" if many else None)
            axes.set_xticks(range(len(self.events)), self.events)
            axes.set_ylabel(f"broken of {self.of}")
            axes.legend(
                frameon=False,
                ncols=min(LEGEND, len(self.ways)),
                loc="lower center",
                bbox_to_anchor=(0.5, 1.02),
            )

        rows = []
        for way in self.ways:
            fields = zip(self.events, self.row(way), strict=True)
            rows.append(f"{way}: {', '.join(f'{event} {broken}' for event, broken in fields)}")
        return plot(draw, f"broken of {self.of} connections by event. {'; '.join(rows)}")

    def __setitem__(self, field: tuple[str, str], broken: int) -> None:
        self._known(field)
        self._broken[field] = whole("how many connections broke", broken, 0, self.of)

    def __getitem__(self, field: tuple[str, str]) -> int:
        self._known(field)
        if field not in self._broken:
            raise LabError(f"{field[1]} was not tried by {field[0]} yet")
        return self._broken[field]

    def _known(self, field: tuple[str, str]) -> None:
        if not (isinstance(field, tuple) and len(field) == 2):
            raise LabError(
                f'a field has a way and an event, as in scores["to_owner", "drain"], not {field!r}'
            )
        way, event = field
        if way not in self.ways or event not in self.events:
            raise LabError(
                f"there is no field {way!r}, {event!r}; ways: {', '.join(self.ways)}; "
                f"events: {', '.join(self.events)}"
            )

    def __repr__(self) -> str:
        lines = [f"{f'broken of {self.of}':14}" + "".join(f"{name:>9}" for name in self.events)]
        for way in self.ways:
            row = [str(self._broken.get((way, event), "-")) for event in self.events]
            lines.append(f"{way:14}" + "".join(f"{broken:>9}" for broken in row))
        return "\n".join(lines)
