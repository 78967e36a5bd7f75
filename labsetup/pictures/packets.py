"""What became of a packet: a row a header, a box a field, what changed in colour and bold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from ..packets.fields import Field
from ..plots.style import XDP
from ..programs.run import Run
from .svg import FAINT, INK, LINE, document, rect, text, width_of

WIDTH, BOX, GAP = 800, 34, 4  # of a picture; of a box in height; between two boxes


def run_svg(run: Run) -> str:
    """One run: the packet, and the map entries that changed."""
    size = f"{len(run.after)} bytes{'' if run.changes else ', unchanged'}"
    hop = HopDrawing(f"{run.program}: {run.verdict}", size, run.fields, run.maps)
    return document(WIDTH, hop.height, hop.parts)


class HopDrawing:
    """A packet at a station: its shapes, and the height that they take."""

    def __init__(
        self,
        title: str,
        size: str,
        fields: Sequence[Field],
        maps: Mapping[str, tuple[object, object]],
        left: float = 2,
        top: float = 0,
    ) -> None:
        start = "start"
        self.parts = [
            text(left, top + 16, title, INK, 13, bold=True, code=True, anchor=start),
            text(left + width_of(title, 13, True) + 12, top + 16, size, FAINT, 13, anchor=start),
        ]
        y = top + 24
        names = max([64.0, *(1.1 * width_of(field.layer, 12) + 8 for field in fields)])
        for layer, members in groupby(fields, key=lambda field: field.layer):
            self.parts.append(text(left, y + 21, layer, INK, 12, bold=True, anchor=start))
            x = left + names
            for field in members:
                width = _width(field)
                if x + width > WIDTH and x > left + names:
                    x, y = left + names, y + BOX + GAP
                self.parts += _box(field, x, y, width)
                x += width + GAP
            y += BOX + GAP
        for entry, (before, after) in maps.items():
            words = f"{entry}: {before} → {after}"
            self.parts.append(text(left, y + 14, words, INK, 12, code=True, anchor=start))
            y += 18
        self.height = y - top + 4


def _words(field: Field) -> str:
    return f"{field.before} → {field.after}" if field.changed else field.before


def _width(field: Field) -> float:
    """A box's, which a very long value does not make wider than its row."""
    needed = max(width_of(_words(field), 12, code=True), width_of(field.name, 11)) + 12
    return min(needed, WIDTH - 160)


def _box(field: Field, x: float, y: float, width: float) -> list[str]:
    """A field: its name above its value; the new one in bold."""
    colour = XDP if field.changed else LINE
    value, room = _words(field), int((width - 10) / width_of("x", 12, code=True))
    if len(value) > room:
        value = f"{value[: room - 1]}…"
    return [
        rect(x, y, width, BOX, colour, rx=3, fill=field.changed),
        text(x + 6, y + 13, field.name, FAINT, 11, anchor="start"),
        text(x + 6, y + 28, value, INK, 12, bold=field.changed, code=True, anchor="start"),
    ]
