"""A router's rows, handed out by Python alone; XDP_LAB_SEED repeats a run that failed."""

from __future__ import annotations

import os
import random
from collections import Counter

from labsetup.routing.rows import NOBODY, Row, handed_out

ALL = ("s1", "s2", "s3", "s4")
WITHOUT_S3 = ("s1", "s2", "s4")


def test_rows_change_hands_as_little_as_can_be():
    """5,000 changes by chance: shares even, no row moved for nothing, none that names the dead."""
    seed = int(os.environ.get("XDP_LAB_SEED", random.randrange(2**32)))
    chance = random.Random(seed)
    rows = [Row(NOBODY, NOBODY)] * 64
    for _ in range(5000):
        servers = chance.sample((*ALL, "s5", "s6", "s7"), chance.randrange(1, 8))
        gone = set(chance.sample(ALL, chance.randrange(3))) - set(servers)
        after = handed_out(rows, servers, gone)
        has, had = Counter(row.now for row in after), Counter(row.now for row in rows)
        assert set(has) == set(servers), seed
        assert max(has.values()) - min(has.values()) <= 1, seed
        for old, new in zip(rows, after, strict=True):
            moved = old.now != new.now
            before = old.now if moved else old.before
            assert new.before == (NOBODY if before in gone else before), seed
        # What must move: what was of those that go, and what others had too many of.
        moves = sum(old.now != new.now for old, new in zip(rows, after, strict=True))
        assert moves == sum(max(0, had[name] - has[name]) for name in had), seed
        assert not gone & {name for row in after for name in row}, seed
        rows = after


def test_who_comes_back_gets_the_rows_that_it_had():
    rows = handed_out([Row(NOBODY, NOBODY)] * 64, ALL)
    back = handed_out(handed_out(rows, WITHOUT_S3), ALL)
    assert [row.now for row in back] == [row.now for row in rows]
    assert all(row.before in WITHOUT_S3 for row in back if row.now == "s3")
