"""The museum of failures: each failure breaks its network, shows as it says, and can be mended."""

from __future__ import annotations

from functools import cache

import pytest

from labsetup import LabError, exhibit
from labsetup.practice import exercise as exercises
from labsetup.practice.museum import hall_of, halls

EACH = [(hall, failure.name) for hall in halls() for failure in halls()[hall].failures]
ROOMS = [room for hall in halls().values() for room in hall.rooms]


@pytest.mark.parametrize(("number", "name"), EACH)
def test_a_failure_breaks_what_works_and_can_be_mended(number, name):
    hall = halls()[number]
    failure = hall.failure(name)
    assert failure is not None
    scene = hall.build()
    assert hall.works(scene)
    failure.cause(scene)
    assert not hall.works(scene)
    failure.mend(scene)
    assert hall.works(scene)


@cache
def looks(number):
    """What every failure's look says of the network that works, and of each that does not."""
    hall = halls()[number]
    seen = {}
    for failure in (None, *hall.failures):
        scene = hall.build()
        if failure:
            failure.cause(scene)
        words = {one.name: one.look(scene) for one in hall.failures}
        seen[failure.name if failure else "none"] = words
    return seen


@pytest.mark.parametrize(("number", "name"), EACH)
def test_what_it_shows_is_seen_with_it_and_with_no_other(number, name):
    seen = {cause: words[name] for cause, words in looks(number).items()}
    assert [one for one in seen if seen[one] == seen[name]] == [name], seen


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_a_broken_network(room):
    assert not hall_of(room).works(exhibit(room))


def test_rooms_are_numbered_through_and_their_failures_offered():
    assert sorted(ROOMS) == list(range(1, len(ROOMS) + 1))
    for number, hall in halls().items():
        assert number in exercises.every()
        assert all(map(hall.failure, hall.rooms.values()))


def test_there_is_no_other_room():
    with pytest.raises(LabError, match="rooms 1 to"):
        exhibit(99)
    with pytest.raises(LabError, match="without quotation marks"):
        exhibit("1")
