"""Work in a process of its own: how long it is waited for."""

from __future__ import annotations

import os
import time

import pytest

from labsetup.apart import Child, Parent, crowding

NOBODY, CROWD = (0.0, 0.0, 0.0), (999.0, 0.0, 0.0)


def slow(parent: Parent) -> None:
    time.sleep(0.6)  # the work
    parent.tell("done")


def test_what_takes_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: NOBODY)
    with Child(slow) as child, pytest.raises(TimeoutError):
        child.listen(0.2)


def test_where_others_want_the_cpus_it_may_take_longer(monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: CROWD)
    with Child(slow) as child:
        message = child.listen(0.2)
        assert message and message.text == "done"


def test_that_has_an_end_too(monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: CROWD)
    begun = time.monotonic()
    with Child(lambda parent: time.sleep(60)) as child, pytest.raises(TimeoutError):
        child.listen(0.2)
    assert 0.8 <= time.monotonic() - begun < 30


@pytest.mark.parametrize(
    ("load", "cpus", "times"), [(0.1, 2, 1), (2, 2, 1), (5, 2, 2.5), (5, 1, 4), (500, 64, 4)]
)
def test_how_crowded_a_machine_is(monkeypatch, load, cpus, times):
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0, 0))
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cpus)))
    assert crowding() == times
