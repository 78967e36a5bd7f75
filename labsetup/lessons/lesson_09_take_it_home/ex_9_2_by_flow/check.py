"""One flow, one entry: packets of a flow that differ in everything else.

Pings of one sender come first, then other flows, then what is none. After each packet the entry is
looked up by its fields, with zeros for whatever else the key has. At the end several CPUs count at
once.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Sized
from typing import Any

from scapy.packet import Packet

from labsetup import ARP, ICMP, IP, TCP, UDP, Ether, ICMPv6EchoRequest, IPv6, Program
from labsetup.packets.craft import frame
from labsetup.practice.checking import LOST, PASS, Wrong, at_once, equal, expect, in_libbpfs_c

SENDER, OTHER = "198.51.100.7", "203.0.113.9"
Flow = tuple[str, int]
LIBBPFS = "This lesson is about libbpf's C: begin with the starter once more."
UNWRITTEN = "What stands in these bytes is chance, today's and tomorrow's."
SEVERAL = (
    "One sender, one protocol, several entries: to the kernel a key is all of its bytes. Which do "
    "differ, and what of yours wrote them? How many bytes has the struct, and how many its fields?"
)
NOT_FOUND = (
    "Who looks it up has zeros wherever no field is. Which bytes of the key that your program "
    "wrote are others? The fields of a struct need not fill it."
)
FIELDS = "Who looks up an entry names source and protocol. Which fields has your key?"
ANOTHER = (
    "There is an entry, and it is another's. What stands in the fields when the map is asked: are "
    "they written before, and is nothing written over them, or over what they are read from?"
)
NONE = "Nothing was counted: what is in the way to the map, and what to the addition?"
COUNTED = "Each packet of a flow adds one to its entry, the first as well."
TOGETHER = "Two flows, and one entry: what must a key have to tell them apart?"
NOT_IPV4 = "That one has no IPv4 header, or not all of it: nothing counts it."
GOES_ON = "Counting is all; every packet goes on."

PINGS: list[tuple[str, Packet]] = [
    ("a ping with the IPv4 id 0", IP(src=SENDER, id=0) / ICMP()),
    ("the next ping, with the id 1", IP(src=SENDER, id=1) / ICMP()),
    ("a ping that must not be fragmented", IP(src=SENDER, id=2, flags="DF") / ICMP()),
    ("a ping with the id 0x1234", IP(src=SENDER, id=0x1234) / ICMP()),
    ("a later fragment of a ping", IP(src=SENDER, id=7, proto=1, frag=185) / bytes(8)),
    ("a longer ping to another server", IP(src=SENDER, dst="192.0.2.77", ttl=9) / ICMP() / b"more"),
    ("a ping with options", IP(src=SENDER, id=0xFFFF, options=b"\1" * 4) / ICMP()),
]
OTHERS: list[tuple[str, Packet | bytes, Flow | None]] = [
    ("TCP of the same sender", IP(src=SENDER, flags="DF") / TCP(), (SENDER, 6)),
    ("a ping of somebody else's", IP(src=OTHER, id=77) / ICMP(), (OTHER, 1)),
    ("UDP of somebody else's", IP(src=OTHER, id=99) / UDP(), (OTHER, 17)),
    ("a protocol that nobody uses", IP(src=OTHER, proto=255) / bytes(8), (OTHER, 255)),
    ("ARP", ARP(), None),
    ("a ping over IPv6", IPv6() / ICMPv6EchoRequest(), None),
    ("something unknown", Ether(type=0x88B5) / bytes(40), None),
    ("IPv4 cut off in the middle of its header", frame(IP(src=SENDER) / ICMP())[:30], None),
]


def check(program: Program) -> None:
    in_libbpfs_c(program, LIBBPFS)
    if any("never written" in one for one in program.warnings):
        raise Wrong("your C", "keys of which each byte is written", "some are not", UNWRITTEN)
    right: dict[Flow, int] = {}
    for what, ping in PINGS:
        expect(program, what, ping, PASS, GOES_ON)
        right[SENDER, 1] = right.get((SENDER, 1), 0) + 1
        _compare(program, what, right, (SENDER, 1))
    for what, packet, flow in OTHERS:
        expect(program, what, packet, PASS, GOES_ON)
        if flow:
            right[flow] = right.get(flow, 0) + 1
        _compare(program, what, right, flow)
    for _ in range(4):
        sent, times = at_once(program, "a ping", IP(src=SENDER, id=5) / ICMP())
        right[SENDER, 1] += times
        _compare(program, sent, right, (SENDER, 1), LOST)


def _compare(
    program: Program, what: str, right: dict[Flow, int], flow: Flow | None, think: str = ""
) -> None:
    """Compare all entries by their fields, and then look the flow's up."""
    raw = program["flows"].raw()
    entries = [*program["flows"].items()]
    for key, _ in entries:
        if not (isinstance(key, dict) and key.keys() >= {"source", "protocol"}):
            form = f"fields {', '.join(key)}" if isinstance(key, dict) else f"no struct: {key!r}"
            raise Wrong("your map", "keys with source and protocol", form, FIELDS)
    expected, happened = f"{_entries(right)}: {_shown(right)}", _entries(entries)
    if len(entries) == 1 == len(right):
        expected, happened = _shown(right), ""
    found: dict[Flow, int] = {}
    for key, value in entries:
        of = _address(key["source"]), int(key["protocol"])
        found[of] = found.get(of, 0) + _number(value)
    if len(entries) > len(found):
        keys = ", ".join(sorted(key.hex(" ") for key in raw)[:4])
        raise Wrong(what, expected, f"{happened}, whose keys are {keys}", SEVERAL)
    if found != right:
        told = ": ".join(filter(None, (happened, _shown(found) or "none")))
        raise Wrong(what, expected, told, think or _thought(found, right, flow))
    if flow is None:
        return
    named = _with_zeros(entries[0][0]) | {"source": _number_of(flow[0]), "protocol": flow[1]}
    if named not in program["flows"]:
        key = next(raw for raw in program["flows"].raw() if raw.startswith(_packed(flow[0])))
        expected = f"an entry for source {flow[0]} and protocol {flow[1]}, and zeros beside them"
        raise Wrong(what, expected, f"none; the key in the map is {key.hex(' ')}", NOT_FOUND)
    equal(what, f"flows of {flow[0]}", right[flow], _number(program["flows"][named]), COUNTED)


def _with_zeros(key: dict[str, Any]) -> dict[str, Any]:
    """The fields of a key, each 0."""
    return {name: _zero(part) for name, part in key.items()}


def _zero(part: Any) -> Any:
    if isinstance(part, dict):
        return _with_zeros(part)
    if isinstance(part, list):
        return [_zero(one) for one in part]
    return bytes(len(part)) if isinstance(part, bytes) else 0


def _packed(address: str) -> bytes:
    return socket.inet_aton(address)


def _number_of(address: str) -> int:
    """As the program reads it."""
    return int.from_bytes(_packed(address), sys.byteorder)


def _address(number: int) -> str:
    return socket.inet_ntoa(int(number).to_bytes(4, sys.byteorder))


def _number(value: Any) -> int:
    return int(getattr(value, "sum", value))


def _entries(all_of_them: Sized) -> str:
    number = len(all_of_them)
    return f"{number} {'entry' if number == 1 else 'entries'}"


def _shown(flows: dict[Flow, int]) -> str:
    return ", ".join(f"{at} protocol {of}: {n}" for (at, of), n in sorted(flows.items()))


def _thought(found: dict[Flow, int], right: dict[Flow, int], flow: Flow | None) -> str:
    if flow is None:
        return NOT_IPV4
    if not found:
        return NONE
    if found.keys() == right.keys():
        return COUNTED
    return TOGETHER if len(found) < len(right) else ANOTHER
