"""Rendezvous in the kernel, where the next lesson needs it.

Five servers share the flows, then one of them leaves, at the end of the list or in the middle of
it, and at the end one changes its place.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from labsetup import ARP, IP, TCP, Ether, Program, random_flows, seed_of, unevenness
from labsetup.balancing.hashing import Names
from labsetup.practice.checking import PASS, Wrong, expect

Places = dict[str, int]  # the place of each server

FLOWS = 300
SERVERS = {f"s{n + 1}": n for n in range(5)}
LEFT = "Only its own flows have to move. Does the place of the others play a part?"
HOLE = "Nothing is in that place of seeds: it is 0. Is that asked, and for each place?"
FAR = "Does the loop come as far as the last place?"
EVEN = "Is each score one of both, the flow and the server, and is the best of all kept?"
STIRRED = "A few bits decide, and not evenly. What is stirred, and when?"
NONE = "The place {} gets none. Does the loop come by each place, and is each score kept?"
BEHIND = "Nobody behind the hole gets a flow any more. What does the loop do when it comes to one?"
SEED = "The server is the same, with the same seed. Its place is no part of who it is."


def check(program: Program) -> None:
    for what, packet in {"TCP": IP() / TCP(), "ARP": ARP()}.items():
        expect(program, what, packet, PASS, "Choosing is all; every packet goes on.")
    frames = list(_frames())

    def chosen(places: Places) -> Names:
        for place in range(16):
            program["seeds"][place] = 0
        for name, place in places.items():
            program["seeds"][place] = int(seed_of(name))
        names = {place: name for name, place in places.items()}
        result = []
        for raw in frames:
            program.run(raw)
            place = program["chosen"][0]
            if place not in names:
                raise Wrong(
                    f"a TCP packet; servers in the places {sorted(names)}",
                    "one of them",
                    f"place {place}, where nobody is",
                    HOLE,
                )
            result.append(names[place])
        return np.array(result)

    before = chosen(SERVERS)
    _fair(f"{FLOWS} flows, servers in the places 0 to 4", before, SERVERS)
    for gone in ("s5", "s3", "s1"):
        rest = {name: place for name, place in SERVERS.items() if name != gone}
        after = chosen(rest)
        behind = [name for name in rest if rest[name] > SERVERS[gone]]
        think = BEHIND if behind and not np.isin(after, behind).any() else LEFT
        _nothing(f"{FLOWS} flows; {gone} leaves", (after != before) & (before != gone), think)
        _fair(f"{FLOWS} flows; {gone} leaves: the flows of those that stay", after, rest)
    _nothing("s3 moves to place 7", chosen(SERVERS | {"s3": 7}) != before, SEED)
    _nothing("s3 moves to place 15", chosen(SERVERS | {"s3": 15}) != before, FAR)


def _fair(sent: str, names: Names, places: Places) -> None:
    counts = {name: int((names == name).sum()) for name in places}
    if unevenness(names, list(places)) > 1.5:
        happened = f"the busiest has {unevenness(names, list(places)):.1f} times its share"
        think = EVEN if len(set(names)) == 1 else STIRRED
        raise Wrong(sent, "about as many flows for each", happened, think)
    least = min(counts, key=counts.__getitem__)
    if counts[least] < len(names) / len(places) / 2:
        happened = f"{least}, in place {places[least]}, has {counts[least]}"
        think = NONE.format(places[least]) if not counts[least] else STIRRED
        raise Wrong(sent, "about as many flows for each", happened, think)


def _nothing(sent: str, moved: NDArray[np.bool_], think: str) -> None:
    if moved.any():
        happened = f"{moved.sum()} moved though their server is still there"
        raise Wrong(sent, "nobody moves for nothing", happened, think)


def _frames() -> Iterator[bytes]:
    raw = bytearray(bytes(Ether() / IP(dst="198.51.100.10") / TCP(dport=80)))
    for flow in random_flows(FLOWS, seed=63):
        raw[26:30], raw[34:36] = flow["source"][12:].tobytes(), flow["ports"][:1].tobytes()
        yield bytes(raw)
