"""A drain: connections that are there stay, new ones go elsewhere.

SYNs come first, and what follows them; then s3 leaves the table, and at the end it is switched off.
Then real connections do the same.
"""

from __future__ import annotations

from scapy.packet import Packet

from labsetup import ICMP, IP, TCP, VIP, Balancer, Connections, Ether, Program, Raw, balanced
from labsetup.lessons.balancers import (
    CLIENT,
    KEY,
    LB,
    SERVERS,
    datagram,
    fill,
    handed,
    others,
    tell,
    to_vip,
)
from labsetup.practice.checking import PASS, Wrong, equal, expect

SENDS = "It is for the VIP, so it goes to a server."
STAYS = "A connection stays where it began, whatever the table says by now."
NEW = "It is new, so the table decides, and there s3 has no rows any more."
REUSED = "A SYN begins a connection, whatever its ports were used for before."
AFTER = "Its place was not written down, or not over what was there. What does update() do?"
DEAD = "s3 is gone for good. Where it was remembered, the table must decide."
PORTS = range(40_000, 40_040)


def check(program: Program) -> None:
    names = list(SERVERS)
    rest = [name for name in names if name != "s3"]
    tell(program, *names)
    at = {port: handed(program, "a SYN", to_vip(port, flags="S"), SENDS) for port in PORTS}

    def follows(
        what: str, port: int, wanted: str, think: str, packet: Packet | None = None
    ) -> None:
        to = handed(program, what, packet or to_vip(port), think)
        equal(what, "handed to", wanted, to, think)

    for port in PORTS:
        what = "the second packet of a connection"
        to = handed(program, what, to_vip(port), SENDS)
        think = STAYS
        if to != at[port] and to == at[PORTS[-1]]:
            think = "It went where another connection of that client did. What tells them apart?"
        equal(what, "handed to", at[port], to, think)
    for what, packet in others().items():
        expect(program, what, packet, PASS, "That is no business of the balancer's.")
    handed(program, "UDP for the VIP", datagram(), "What flows does not know goes by the table.")

    fill(program, names, rest)
    draining = [port for port in PORTS if at[port] == "s3"]
    for port in draining:
        what = "a packet of a connection of s3's, which was taken out of the table"
        to = handed(program, what, to_vip(port), SENDS)
        if to != "s3":
            told = f"handed to {to}: it left its server"
            raise Wrong(what, "handed to s3", told, _memory(program, names.index(to)))
    quoted = IP(src=VIP, dst="192.0.2.1") / TCP(sport=80, dport=draining[0])
    error = Ether(dst=LB, src=CLIENT) / IP(src="203.0.113.9", dst=VIP) / ICMP(type=3, code=4)
    follows("an ICMP error about it", 0, "s3", STAYS, error / Raw(bytes(quoted)))
    for port in range(41_000, 41_040):
        to = handed(program, "the SYN of a new connection", to_vip(port, flags="S"), SENDS)
        if to == "s3":
            raise Wrong(
                "the SYN of a new connection", "handed to one of the others", "handed to s3", NEW
            )
        follows("its next packet", port, to, STAYS)
    again = draining[0]
    what = "a SYN from ports that a connection of s3's used before"
    to = handed(program, what, to_vip(again, flags="S"), SENDS)
    if to == "s3":
        raise Wrong(what, "handed to one of the others", "handed to s3", REUSED)
    follows("its next packet, which goes where its own SYN went", again, to, AFTER)
    tell(program, *(f"!{name}" if name == "s3" else name for name in names))
    fill(program, names, rest)
    for port in draining[1:3]:
        what = "a packet of a connection of s3's, which is switched off"
        to = handed(program, what, to_vip(port), DEAD)
        if to == "s3":
            raise Wrong(what, "handed to one of the others", "handed to s3", DEAD)
    _really(program)


def _memory(program: Program, place: int) -> str:
    """What is in flows when a packet of a connection of s3's has gone to another place."""
    places = list(program["flows"].values())
    if not places:
        return "flows is empty: nobody wrote down where the connection began."
    if max(places) >= len(SERVERS):
        return f"flows holds {max(places)}, and that is no server's place."
    if 2 not in places:
        return "flows knew that it was s3's, and no longer does. Which packets write to it?"
    if len(places) < len(PORTS):
        return "flows knows few of them."
    return STAYS if place == 2 else "flows knows that it is s3's. Who looks it up?"


def _really(program: Program) -> None:
    """The same on a network: real connections, and none may break."""
    net = balanced()
    balancer = Balancer(net, program, KEY)
    connections = Connections(net, 200)
    equal(
        "200 connections over a network",
        "broken",
        0,
        connections.broken,
        "They did not even open. Follow one with tcpdump.",
    )
    balancer.use("s1", "s2", "s4", "s5")
    equal(
        "200 connections, and s3 taken out of the table",
        "broken",
        0,
        connections.check().broken,
        STAYS,
    )
