"""Rendezvous hashing, from its rule alone.

The function is asked twice, then with a server less, a server more, and in another order; the
shares come in between. At the end the servers have other names, and hash() is that of another
process.  An answer that takes long, as a ring with many points does, is asked about fewer flows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from labsetup import flow_hash, mixed, random_flows, seed_of, unevenness
from labsetup.balancing.hashing import Hashes, Names
from labsetup.practice.checking import Wrong
from labsetup.strangers.stranger import Stranger

Choose = Callable[[np.uint64, list[str]], object]
Function = TypeVar("Function", bound=Callable[..., object])

FLOWS = 400
SERVERS = ["s1", "s2", "s3", "s4", "s5"]
COUNT = "Does the number of servers play a part? It changes for all flows."
PLACE = "Where does a server's number come from: its name, or its place in the list?"
NEW = "A new server may take flows to itself. Why do others move?"
BOTH = "All flows meet at one server. Is the score one of both, the flow and the server?"
STIRRED = "A few bits decide, and not evenly. What is stirred, and when?"
TIED = "The order has a say where two scores are alike. How many different ones can yours be?"
YOURS = (
    "The list is its caller's, who needs it for the next flow. Can you do without a change to it?"
)

NAMED = "What makes a number of a name: do all letters of it have a say, each in its place?"
NAMES = ["web-12", "web-21", "db", "10.0.0.7", "10.0.0.70", "s1"]
SLOW = 0.05  # seconds for 20 flows; who takes longer is asked for fewer of them

SALT = "Python's hash() of a str is another in each process. Two load balancers have to agree."


def salted(thing: object) -> bool:
    """Whether Python stirs a salt of the process into this one's hash."""
    if isinstance(thing, (tuple, frozenset)):
        return any(map(salted, thing))
    return isinstance(thing, (str, bytes))


@contextmanager
def another_process(choose: Function) -> Iterator[Function]:
    """The function where hash() is that of a process with another salt; a number's stays."""
    if isinstance(choose, Stranger):
        yield cast(Function, choose.elsewhere())
        return
    own = hash
    with patch("builtins.hash", lambda one: own(("another", one) if salted(one) else one)):
        yield choose


def check(choose: Choose) -> None:
    hashes = flow_hash(random_flows(FLOWS), key=(6, 1))

    def chosen(servers: list[str], flows: Hashes | None = None, by: Choose = choose) -> Names:
        names = []
        for flow in hashes if flows is None else flows:
            name = by(flow, given := list(servers))
            if not (isinstance(name, str) and name in servers):
                think = "What does your function return, and is it one of the servers?"
                raise Wrong(f"a flow, and {servers}", "a name from the list", repr(name), think)
            if given != servers:
                raise Wrong(f"a flow, and {servers}", "the list stays as it is", f"{given}", YOURS)
            names.append(name)
        return np.array(names)

    begun = time.monotonic()
    chosen(SERVERS, hashes[:20])
    if time.monotonic() - begun > SLOW:
        hashes = hashes[: FLOWS // 2]
    begun = time.monotonic()
    every = f"{len(hashes)} flows, and {', '.join(SERVERS)}"
    everyone = chosen(SERVERS)
    took = time.monotonic() - begun
    many = took < SLOW * len(hashes) / 20
    hashes = hashes if many else hashes[: max(30, int(len(hashes) / took / 4))]
    before = everyone[: len(hashes)]
    if changed := int((chosen(SERVERS) != before).sum()):
        think = "Packets of one connection have the same hash. What else is there in your choice?"
        raise Wrong(f"{every}, twice", "the same server", f"another one for {changed}", think)
    for gone, think in (("s5", COUNT), ("s3", PLACE), ("s1", PLACE)):
        rest = [name for name in SERVERS if name != gone]
        after = chosen(rest)
        nothing(f"{len(hashes)} flows; {gone} leaves", (after != before) & (before != gone), think)
        if many and len(set(before)) > 1:
            fair(f"{len(hashes)} flows; {gone} leaves: the flows of those that stay", after, rest)
    after = chosen(["s0", *SERVERS])
    nothing(f"{len(hashes)} flows; s0 comes", (after != before) & (after != "s0"), NEW)
    fair(every, everyone, SERVERS)
    close = alike()
    moved = np.concatenate(
        [
            chosen(SERVERS[::-1]) != before,
            chosen(SERVERS[::-1], close) != chosen(SERVERS, close),
        ]
    )
    think = TIED if moved.mean() < 0.5 else PLACE
    nothing(f"{len(moved)} flows; the same servers in another order", moved, think)

    think = NAMED
    named = chosen(NAMES)
    nothing(f"servers {NAMES}, and in another order", chosen(NAMES[::-1]) != named, think)
    for name in NAMES if many else ():
        if not 0.4 < (share := float((named == name).mean()) * len(NAMES)) < 2:
            happened = f"{name} has {share:.1f} times its share"
            raise Wrong(f"servers {NAMES}", "about as many for each", happened, think)
    chosen(NAMES[:1], hashes[:20])  # the last one that is left has them all

    with another_process(choose) as elsewhere:
        changed = int((chosen(SERVERS, by=elsewhere) != before).sum())
    if changed:
        sent = f"{every}, where hash() is that of another Python process"
        raise Wrong(sent, "the same server", f"another one for {changed}", SALT)


def nothing(sent: str, moved: NDArray[np.bool_], think: str) -> None:
    """Refuse an answer that moves flows for nothing."""
    if moved.any():
        happened = f"{moved.sum()} moved though their server is still there"
        raise Wrong(sent, "nobody moves for nothing", happened, think)


def fair(sent: str, names: Names, servers: list[str]) -> None:
    """Refuse an answer that gives a server far more than its share, or far less."""
    counts = [int((names == name).sum()) for name in servers]
    if unevenness(names, servers) <= 1.5 and min(counts) >= len(names) / len(servers) / 2:
        return
    found = ", ".join(f"{name} {count}" for name, count in zip(servers, counts, strict=True))
    raise Wrong(
        sent, "about as many for each", found, BOTH if max(counts) == len(names) else STIRRED
    )


def alike() -> Hashes:
    """Flows whose two highest, or two lowest, scores are nearly one number."""
    many = flow_hash(random_flows(100_000, seed=61))
    scores = np.sort([mixed(many ^ seed_of(name)) for name in SERVERS], axis=0)
    near = [np.argsort(high - low)[:20] for low, high in (scores[:2], scores[-2:])]
    return many[np.concatenate(near)]
