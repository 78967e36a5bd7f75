"""The museum of failures: networks that worked until one thing was changed.

A hall has a network that works, and failures that can befall it. Each of its rooms shows one of
them and does not say which: the reader finds out with the tools of the trade. A wrong diagnosis is
answered with what was measured against it. Each lesson has its hall in its own rooms.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from ..arguments import checked
from ..errors import LabError
from ..network import sandbox


@dataclass(frozen=True)
class Failure:
    """One way to break what works.

    Attributes:
        name: what a diagnosis calls it.
        shows: what one would see if it were this.
        look: measures that, and says in words what one sees.
        cause: breaks the network.
        mend: makes it whole again.
    """

    name: str
    shows: str
    look: Callable[[Any], str]
    cause: Callable[[Any], object]
    mend: Callable[[Any], object]


@dataclass(frozen=True)
class Hall:
    """A network that works, and what can befall it.

    Attributes:
        exercise: the number of the one that leads through it.
        build: makes it; what it returns goes to the reader, and to all functions here.
        works: whether it does what it is for.
        failures: all that are offered as a diagnosis; not each has a room.
        rooms: the failure in each, by its name; rooms are numbered through the museum.
    """

    exercise: str
    build: Callable[[], Any]
    works: Callable[[Any], bool]
    failures: Sequence[Failure]
    rooms: Mapping[int, str]

    def failure(self, name: str) -> Failure | None:
        """The failure with this name, if it is offered here."""
        return next((one for one in self.failures if one.name == name), None)


LESSONS = Path(__file__).parent.parent / "lessons"


@cache
def halls() -> dict[str, Hall]:
    """The lessons' halls, by the exercise that leads through each."""
    found = sorted(path.parent.name for path in LESSONS.glob("*/rooms.py"))
    made = [import_module(f"labsetup.lessons.{name}.rooms").HALL for name in found]
    return {hall.exercise: hall for hall in made}


@checked
def exhibit(room: object) -> Any:
    """A network in which one thing is broken.

    Args:
        room: its number; the exercise says which there are.
    """
    sandbox.require()
    hall = hall_of(room)
    scene = hall.build()
    failure = hall.failure(hall.rooms[int(room)])  # type: ignore[call-overload]  # it is one of them
    assert failure
    failure.cause(scene)
    return scene


def hall_of(room: object) -> Hall:
    """The hall that has this room.

    Raises:
        LabError: if none has.
    """
    for hall in halls().values():
        if isinstance(room, int) and room in hall.rooms:
            return hall
    each = [f"{numbers(hall.rooms)} for {id}" for id, hall in halls().items()]
    how = "; a room is a number, without quotation marks" if isinstance(room, str) else ""
    raise LabError(f"the museum has the rooms {', '.join(each)}, and no room {room!r}{how}")


def numbers(rooms: Mapping[int, str]) -> str:
    """What a hall's rooms are called: those in a row by the first and the last."""
    each = sorted(rooms)
    row = [one for place, one in enumerate(each) if one == each[0] + place]
    return " and ".join([f"{row[0]} to {row[-1]}", *map(str, each[len(row) :])])
