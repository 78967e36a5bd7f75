"""An upgrade: version 1 counts, version 2 takes over what it counted, and both count on.

The starter is version 1. What was pinned when the answer was made is taken away first, so that
version 1 finds nothing; and at the end nothing stays pinned.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scapy.packet import Packet

from labsetup import (
    ARP,
    ICMP,
    IP,
    TCP,
    UDP,
    Ether,
    ICMPv6EchoRequest,
    IPv6,
    LabError,
    Program,
    cpus,
)
from labsetup.packets.craft import frame
from labsetup.practice.checking import LOST, PASS, Wrong, at_once, equal, expect, summed

Counts = dict[int, dict[str, int]]  # packets and bytes of each protocol

BPFFS = Path("/sys/fs/bpf")
VERSION_1 = Path(__file__).with_name("starter.c").read_text().replace("version_2", "version_1")
UPGRADE = "version 2, loaded while the map of version 1 is pinned"
AGREE = (
    "libbpf compares the pinned map with yours before it hands that out, and refuses what is not "
    "alike. Which line of your map is another than in version 1?"
)
OF_ITS_OWN = (
    "Version 2 has a map of that name, and a new one. How does libbpf know that there is an old "
    "one, and where?"
)
ELSEWHERE = (
    "It is the same map, and its bytes are all there. Does each field of yours mean what version 1 "
    "wrote in its place?"
)
NAMED = "By which name is the map of version 1 pinned, and by which would libbpf look for yours?"
NO_MAP = "What protocols counts stays there. Where is the rest to be counted?"
AS_BEFORE = "Version 1 counts that packet so. What does version 2 do otherwise with it?"
NOT_THERE = "protocols is for what it counted before. Where does this packet belong now?"
LEFT_OUT = "Version 1 leaves that one out, so it is one of the others: each adds one there."
NOT_OTHERS = "Each packet counts in one of the two maps alone. Which are the others?"
GOES_ON = "Counting is all; every packet goes on."
FIRST: list[Packet] = [IP() / ICMP(), IP() / ICMP() / b"more", IP() / TCP(), IP(proto=253) / b"x"]
IPV4: list[tuple[str, Packet | bytes, int]] = [
    ("a ping", IP() / ICMP(), 1),
    ("UDP, which version 1 had none of", IP() / UDP(), 17),
    ("a protocol that nobody uses", IP(proto=255) / b"experiment", 255),
    ("IPv4 cut off behind its header", frame(IP() / TCP())[:34], 6),
    ("protocol 0", IP(proto=0, options=b"\1" * 4) / b"options", 0),
]
OTHERS: list[tuple[str, Packet | bytes]] = [
    ("ARP", ARP()),
    ("a ping over IPv6", IPv6() / ICMPv6EchoRequest()),
    ("something unknown that looks like IPv4", Ether(type=0x88B5) / frame(IP() / UDP())[14:]),
    ("IPv4 cut off in the middle of its header", frame(IP() / ICMP())[:30]),
    ("an Ethernet header and nothing more", frame(IP() / ICMP())[:14]),
]


def check(program: Program) -> None:
    names = {"protocols", *program.maps}
    _take_away(names)
    try:
        _upgraded(program)
    finally:
        _take_away(names)


def _take_away(names: set[str]) -> None:
    """What is pinned by these names; who uses it keeps it."""
    for name in names:
        (BPFFS / name).unlink(missing_ok=True)


def _upgraded(program: Program) -> None:
    first = Program("version_1", VERSION_1)
    for cpu in cpus():  # each has a number of its own
        for early in FIRST:
            first.run(early, cpus=[cpu])
    counted = _counts(first)
    try:
        second = Program(program)
    except LabError as error:
        expected = "it takes over protocols, with all counts"
        raise Wrong(UPGRADE, expected, str(error), AGREE) from None
    if "protocols" not in second.maps:
        raise Wrong(UPGRADE, "a map protocols", f"its maps: {', '.join(second.maps)}", NAMED)
    found = _counts(second)
    if found != counted:
        is_same = second["protocols"].id == first["protocols"].id
        think = ELSEWHERE if is_same else OF_ITS_OWN
        raise Wrong(UPGRADE, _shown(counted), _shown(found), think)
    if "others" not in second.maps:
        raise Wrong("version 2", "a map others", f"its maps: {', '.join(second.maps)}", NO_MAP)
    for what, packet, key in IPV4:
        run = expect(second, f"{what}, to version 2", packet, PASS, GOES_ON)
        _add(counted, key, len(run.before))
        shown = _shown(_counts(second))
        equal(f"{what}, to version 2", "protocols:", _shown(counted), shown, AS_BEFORE)
        equal(f"{what}, to version 2", "others[0]", 0, _others(second), NOT_OTHERS)
    for number, (what, packet) in enumerate(OTHERS, 1):
        expect(second, f"{what}, to version 2", packet, PASS, GOES_ON)
        shown = _shown(_counts(second))
        equal(f"{what}, to version 2", "protocols:", _shown(counted), shown, NOT_THERE)
        equal(f"{what}, to version 2", "others[0]", number, _others(second), LEFT_OUT)
    first.run(FIRST[0])
    _add(counted, 1, len(frame(FIRST[0])))
    shown = _shown(_counts(second))
    equal("a ping, to version 1", "protocols:", _shown(counted), shown, OF_ITS_OWN)
    third = Program(program)
    shown = _shown(_counts(third))
    equal("version 2 loaded once more", "protocols:", _shown(counted), shown, OF_ITS_OWN)
    for _ in range(4):
        before, others = _counts(second)[1]["packets"], _others(second)
        sent, times = at_once(second, "a ping", IP() / ICMP())
        equal(sent, "protocols[1]", times, _counts(second)[1]["packets"] - before, LOST)
        sent, times = at_once(second, "ARP", ARP())
        equal(sent, "others[0]", times, _others(second) - others, LOST)


def _add(counts: Counts, key: int, size: int) -> None:
    both = counts.get(key, {"packets": 0, "bytes": 0})
    counts[key] = {"packets": both["packets"] + 1, "bytes": both["bytes"] + size}


def _others(program: Program) -> int:
    return summed(program["others"].get(0, 0))


def _counts(program: Program) -> Counts:
    """What is not 0 in protocols."""
    found: dict[int, Any] = {}
    for key, value in program["protocols"].items():
        both = getattr(value, "sum", value)
        if not isinstance(both, dict) or any(both.values()):
            found[int(key)] = dict(both) if isinstance(both, dict) else both
    return found


def _shown(counts: Counts) -> str:
    return ", ".join(f"[{key}] {both}" for key, both in sorted(counts.items())) or "all 0"
