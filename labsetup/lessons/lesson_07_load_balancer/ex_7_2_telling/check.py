"""What a balancer should say of itself: how many packets each server got.

All counts are compared after each step: 20 connections, what is no TCP, what is handed to nobody,
several CPUs, a place that is empty, and at the end several CPUs at once.
"""

from __future__ import annotations

from scapy.packet import Packet

from labsetup import Program, cpus
from labsetup.lessons.balancers import (
    SERVERS,
    datagram,
    handed,
    others,
    over_ipv6,
    tell,
    to_another,
    to_vip,
)
from labsetup.practice.checking import (
    LOST,
    PASS,
    Wrong,
    at_once,
    equal,
    expect,
    running_again,
    summed,
)

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

    def count(packet: Packet, times: int = 1, what: str = "TCP for the VIP") -> int:
        place = names.index(handed(program, what, packet, SENDS))
        right[place] = right.get(place, 0) + times
        return place

    tell(program, *names)
    places = [count(to_vip(sport)) for sport in range(40_000, 40_020)]
    compared("a packet of each of 20 connections")
    for what, other in {"UDP": datagram(), "TCP over IPv6": over_ipv6()}.items():
        count(other, what=f"{what} for the VIP")
        compared(f"{what} for the VIP", "That one was handed to a server as well.")
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
    tell(program, *names)
    again = running_again(program)
    tell(again, *names)
    place = names.index(handed(program, "TCP for the VIP", to_vip(), SENDS))
    again.run(to_vip())  # who makes an entry of a map does so now
    for _ in range(5):
        before = summed(again["handed"][place])
        sent, times = at_once(again, "TCP for the VIP", to_vip(), 300_000)
        grown = summed(again["handed"][place]) - before
        equal(
            sent, f"handed[{place}] grows by", times, grown, f"{LOST} Which two cures did you see?"
        )


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
