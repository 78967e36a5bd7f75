"""Servers that hand a packet on, and no packet that goes round in circles.

A packet from a router comes to its owner, then to another server, then from there to the next, for
routers of many addresses. Then all servers' own addresses are compared.
"""

from __future__ import annotations

from scapy.packet import Packet

from labsetup import Program
from labsetup.lessons.balancers import ROUTER, SERVERS, fill, handed_on, others, tell, to_vip
from labsetup.practice.checking import PASS, TX, Wrong, equal, expect

NAMES = ["s1", "s2", "s3", "s4"]
OWNED = "It is the packet's owner: its stack is waiting."
GOES = "It comes from the router, and another server owns it. Is it taken for one handed on before?"
SECOND = "How could the second server have known that this packet had been handed on before?"


def check(program: Program) -> None:
    def at(name: str, owner: str) -> None:
        """Let one server run the program, and think that one server owns everything."""
        tell(program, *NAMES, own=SERVERS[name])
        fill(program, NAMES, [owner])

    def run(
        name: str, owner: str, what: str, packet: Packet | bytes
    ) -> tuple[str, str | None, bytes]:
        """Run it there; returns who gets the packet next, None for the stack, and the frame."""
        at(name, owner)
        result = program.run(packet)
        sent = f"{what}, at {name}, whose table says {owner}"
        if result.verdict == PASS:
            return sent, None, result.after
        if result.verdict != TX:
            raise Wrong(sent, "XDP_PASS or XDP_TX", result.verdict, "It goes up, or on.")
        return sent, handed_on(result, sent, SERVERS[name]), result.after

    routers = (
        ROUTER,
        "00:16:3e:12:34:56",
        "52:54:00:ab:cd:ef",
        "0a:00:00:00:00:01",
        "74:83:c2:00:00:01",
        "0e:00:00:00:00:01",
    )
    sources: dict[bytes, str] = {}
    for mac in routers:
        fresh = to_vip(to=SERVERS["s1"])
        fresh.src = mac
        what = f"a packet from the router {mac}"
        sent, to, _ = run("s1", "s1", what, fresh)
        equal(sent, "handed on to", "nobody", to or "nobody", OWNED)
        sent, to, frame = run("s1", "s2", what, fresh)
        equal(sent, "handed on to", "s2", to or "nobody", GOES)
        for owner in ("s2", "s1", "s3"):
            what = "the same packet, handed on by s1"
            sent, to, _ = run("s2", owner, what, frame)
            if to:
                raise Wrong(sent, "XDP_PASS", f"handed on again, to {to}", SECOND)
    for name in NAMES:
        fresh = to_vip(to=SERVERS[name])
        fresh.src = ROUTER
        owner = "s4" if name != "s4" else "s1"
        sent, _, frame = run(name, owner, "a packet from the router", fresh)
        if (other := sources.setdefault(frame[6:12], name)) != name:
            raise Wrong(
                sent,
                "each server sends from a MAC address of its own",
                f"{other} and {name} send from one MAC address, {frame[6:12].hex(':')}",
                "At which port is the switch to look for it?",
            )
    for what, packet in others().items():
        at("s3", "s2")
        expect(program, what, packet, PASS, "That is for the stack.")
    tell(program, "s1", "!s2", "s3", "s4", own=SERVERS["s1"])
    fill(program, NAMES, ["s2"])
    fresh = to_vip(to=SERVERS["s1"])
    expect(
        program,
        "a packet whose owner's place is empty",
        fresh,
        PASS,
        "Nobody is there to hand it to, so it stays here, as it is.",
    )
