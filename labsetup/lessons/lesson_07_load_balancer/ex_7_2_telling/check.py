"""What a balancer should say of itself: how many packets each server got.

All counts are compared after each step: 20 connections, what is handed to nobody, several CPUs, and
a place that is empty.
"""

from __future__ import annotations

from scapy.packet import Packet

from labsetup import Program, cpus
from labsetup.practice.balancers import SERVERS, handed, others, tell, to_another, to_vip
from labsetup.practice.checking import PASS, Wrong, expect, summed

Counts = dict[int, int]  # packets for each place

ZEROS = "Somebody is there: not all six bytes of its address are 0. How many do you look at?"
SENDS = "It goes to a server, as before. Counting changes nothing."


def check(program: Program) -> None:
    names = list(SERVERS)
    right: Counts = {}

    def compared(sent: str, think: str = "") -> None:
        found = {k: summed(v) for k, v in program["handed"].items() if summed(v)}
        if found != right:
            copies = [max(v) if isinstance(v, tuple) else v for v in program["handed"].values()]
            thought = think or _thought(right, found, max(copies, default=0))
            raise Wrong(sent, _shown(right), _shown(found), thought)

    def count(packet: Packet, times: int = 1) -> int:
        place = names.index(handed(program, "TCP for the VIP", packet, SENDS))
        right[place] = right.get(place, 0) + times
        return place

    tell(program, *names)
    places = [count(to_vip(sport)) for sport in range(40_000, 40_020)]
    compared("a packet of each of 20 connections")
    for what, packet in others().items():
        expect(program, what, packet, PASS, "It is not for the VIP.")
        compared(what, "That one was handed to nobody.")
    count(to_vip(), 1 + len(cpus()))
    program.run(to_vip(), cpus=cpus())
    compared("a packet on each CPU, and one more")
    tell(program, *(f"!{name}" if name == "s2" else name for name in names))
    sport = 40_000 + places.index(names.index("s2"))
    expect(
        program, "TCP for the VIP, where nobody is", to_vip(sport), PASS, "Leave it to the stack."
    )
    compared("a packet whose place is empty", "It went on to the stack: nobody is there to get it.")
    place = names.index("s2")
    right[place] += 1
    to_another(program, place, to_vip(sport), SENDS)
    compared("a packet for a server whose MAC address begins with 00", ZEROS)


def _shown(counts: Counts) -> str:
    if not counts:
        return "handed is empty"
    return ", ".join(f"handed[{place}] {count}" for place, count in sorted(counts.items()))


def _thought(right: Counts, found: Counts, most: int) -> str:
    """What to think about, most being the highest count that one CPU has made."""
    if not found:
        return "Nothing was counted. Look it up, check the pointer, add to what it points to."
    if sum(found.values()) > sum(right.values()):
        return "It adds more than one for a packet."
    if sum(found.values()) < sum(right.values()):
        if found.keys() == right.keys() and most == 1:
            return "No CPU has counted beyond 1. What does update() do with the old one?"
        return "A packet is missing. With which key do you look up?"
    if len(right) > len(found):
        return "Several servers have one count, as their sum. What tells them apart?"
    return "It is in another place than the server is in the map servers."
