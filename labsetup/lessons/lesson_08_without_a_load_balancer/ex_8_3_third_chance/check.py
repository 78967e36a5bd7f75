"""Second chance, once more: a packet that has three owners to ask.

One change at a time comes first, seen from each server. Then come tables drawn by chance, in which
no packet may go round in circles.
"""

from __future__ import annotations

import random

from labsetup import Program
from labsetup.lessons.balancers import ROUTER, SERVERS, handed_on, one_flow, tell, to_vip
from labsetup.packets.craft import frame
from labsetup.practice.checking import PASS, TX, Wrong

PEERS = ["s1", "s2", "s3", "s4"]
ASK = "Which owners have not been asked when this packet comes, and who is next?"
STAYED = "It went to nobody: all three were passed over. Which owner is the first to ask?"
ROUND = "How can a server know that this packet has been on its way for long?"
NEW = "A SYN is for the owner now. Nobody else can have its connection, for there is none."


def check(program: Program) -> None:
    flow = _Flow(program)
    agreed = ["s1", "s2", "s3"]
    flow.told("a SYN", "s1", agreed, at="s4", syn=True, think=NEW)
    flow.told("a SYN", "s1", agreed, at="s1", syn=True, think=NEW)
    flow.told("a packet, the owner now has it", "s1", agreed, at="s4")
    flow.told("a packet, the owner before has it", "s2", agreed, at="s4")
    flow.told("a packet, the owner before has it", "s2", agreed, at="s1")
    flow.told("a packet, the second owner before has it", "s3", agreed, at="s4")
    for name in PEERS:
        flow.told("a packet, the second owner before has it", "s3", agreed, at=name)
        flow.told("a packet, its server has it", name, agreed, at=name)
    for name in PEERS:
        same = ["s2", "s2", "s2"]
        flow.told("a packet, there was no change and its owner has it", "s2", same, at=name)
        flow.told("a packet that nobody has", None, same, at=name)
        flow.told("a packet that nobody has", None, agreed, at=name)
    for name in ("s1", "s4"):
        what = "a packet, the owner before is gone, and the one before that has it"
        flow.told(what, "s3", agreed, at=name, gone="s2")
        what = "a packet, the owner now is gone, and the one before has it"
        flow.told(what, "s2", ["s4", "s2", "s3"], at=name, gone="s4") if name != "s4" else None
    chance = random.Random(78)
    for _ in range(60):
        disagreed = {name: [chance.choice(PEERS) for _ in range(3)] for name in PEERS}
        for kind, syn in (("a packet that nobody has", False), ("a SYN", True)):
            what = f"{kind}, and every server has another table"
            flow.told(what, None, disagreed, at=chance.choice(PEERS), syn=syn)


class _Flow:
    """A packet's way among servers: the switch, and the program on each of them in turn."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.tuple = one_flow().tobytes()

    def told(
        self,
        what: str,
        has: str | None,
        rows: list[str] | dict[str, list[str]],
        at: str,
        syn: bool = False,
        gone: str = "",
        think: str = ASK,
    ) -> None:
        """Send it to a server, and compare where it ends with where its connection is.

        Args:
            what: the packet in words.
            has: the server where it must end; None for any.
            rows: the owners that every server's table names, or a dict of them by server.
            at: the server to which the router sends it.
            syn: whether it begins a connection, which nobody has then.
            gone: a server that is not there.
            think: the thought for those whose program sends it elsewhere.
        """
        fresh = to_vip(to=SERVERS[at], flags="S" if syn else "A")
        fresh.src = ROUTER
        way, raw = [at], frame(fresh)
        while True:
            here = way[-1]
            owners = rows[here] if isinstance(rows, dict) else rows
            self._prepare(here, owners, here == has and not syn, gone)
            run = self.program.run(raw)
            sent = f"{what}; it comes to {at}, and the row at {here} says {', '.join(owners)}"
            if run.verdict == PASS:
                break
            if run.verdict != TX:
                raise Wrong(sent, "XDP_PASS or XDP_TX", run.verdict, "It goes up, or on.")
            way.append(handed_on(run, sent, SERVERS[here]))
            raw = run.after
            if len(way) > 4:
                happened = f"{' → '.join(way)}, and still no end"
                raise Wrong(sent, "three hops at most", happened, ROUND)
        if has and way[-1] != has:
            think = STAYED if syn and way == [at] else think
            raise Wrong(sent, f"it goes up at {has}", f"{' → '.join(way)}, and there up", think)

    def _prepare(self, here: str, owners: list[str], has_it: bool, gone: str) -> None:
        tell(self.program, *(f"!{n}" if n == gone else n for n in PEERS), own=SERVERS[here])
        for index in range(16):
            self.program["rows"][index] = {"owners": [PEERS.index(name) for name in owners]}
        self.program["mine"].clear()
        if has_it:
            self.program["mine"][self.tuple] = 1
