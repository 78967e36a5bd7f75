"""A small table that remembers: each row's owner, and the one before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

NOBODY = ""


class Row(NamedTuple):
    """Who has it, and who had it before, by name."""

    now: str
    before: str


def handed_out(
    rows: Sequence[Row], servers: Sequence[str], gone: Collection[str] = ()
) -> list[Row]:
    """Give the rows to these servers, as many to each, and change as few as that takes.

    A row that stays with its owner keeps the one before, too: another row's change must not cost it
    its second chance.  One that must move goes back to who had it before, if that one wants any.

    Args:
        rows: as they are.
        servers: who gets them, at least one.
        gone: who is dead: no row names it any more.
    """
    least, more = divmod(len(rows), len(servers))
    has = Counter(row.now for row in rows)
    # One row more for those that have the most already; of them, in the servers' order.
    favoured = sorted(servers, key=lambda name: -has[name])[:more]
    share = {name: least + (name in favoured) for name in servers}
    # Whom a server hands over first: rows that another one wants back.
    wanted = {name for name in servers if has[name] < share[name]}
    order = sorted(range(len(rows)), key=lambda n: (rows[n].before in wanted, n))
    owner: dict[int, str] = {}
    for n in order:
        if share.get(rows[n].now, 0):
            owner[n] = rows[n].now
            share[rows[n].now] -= 1
    left = [n for n in range(len(rows)) if n not in owner]
    for n in left:
        if share.get(rows[n].before, 0):
            owner[n] = rows[n].before
            share[rows[n].before] -= 1
    for n in left:
        if n not in owner:
            owner[n] = max(share, key=lambda name: share[name])
            share[owner[n]] -= 1
    return [_after(row, owner[n], gone) for n, row in enumerate(rows)]


def _after(row: Row, owner: str, gone: Collection[str]) -> Row:
    before = row.before if owner == row.now else row.now
    return Row(owner, NOBODY if before in gone else before)
