"""The same program in the other language: both run on the same packets.

BCC's is loaded beside the reader's, and after each packet the two maps are compared, plain packets
first. At the end several CPUs add to one element at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scapy.packet import Packet

from labsetup import ARP, ICMP, IP, TCP, UDP, Ether, ICMPv6EchoRequest, IPv6, Program, cpus
from labsetup.packets.craft import frame
from labsetup.practice.checking import LOST, Wrong, at_once, equal, in_libbpfs_c

Counts = dict[int, dict[str, int]]  # packets and bytes of each protocol

ORIGINAL = Path(__file__).with_name("starter.c").read_text()
PACKETS: list[tuple[str, Packet | bytes]] = [
    ("a ping", IP(ttl=99) / ICMP()),
    ("a ping of 100 bytes more", IP(ttl=99) / ICMP() / bytes(100)),
    ("TCP", IP(ttl=99) / TCP()),
    ("UDP", IP(ttl=99) / UDP()),
    ("a short frame that is filled up to 60 bytes", IP() / ICMP() / b"4444" / bytes(14)),
    ("ARP", ARP()),
    ("a ping over IPv6", IPv6() / ICMPv6EchoRequest()),
    ("something unknown that looks like IPv4", Ether(type=0x88B5) / frame(IP() / UDP())[14:]),
    ("IPv4 cut off in the middle of its header", frame(IP() / ICMP())[:30]),
    ("IPv4 cut off behind its header", frame(IP() / UDP())[:34]),
    ("an Ethernet header and nothing more", frame(IP() / ICMP())[:14]),
    ("a protocol that nobody uses", IP(proto=253) / b"experiment"),
]
STARTED = (
    "Begin with the headers: which of them has bpf_map_lookup_elem(), and which bpf_htons()? Then "
    "go through the program line by line."
)
NOT_A_STRUCT = "Which line of the map says of what type a value is? The fields come from there."
NEITHER = (
    "Nothing was counted. Does it come as far as the map: in which byte order is the EtherType "
    "compared? And is the element there when it is looked up: which kind of map has all of its "
    "elements from the beginning?"
)
NO_SUCH_KEY = (
    "It was not counted, and others were. With which key is it looked up, and is it there?"
)
ANOTHER = "It counts in another element than BCC's. From which field is the key, in how many bytes?"
MORE_BYTES = (
    "Where does the frame begin for BCC's program, and where does it end? Count from there."
)
SENT_AWAY = "BCC's program counts that one, and yours does not. Which question sends it away?"
TOO_MANY = "BCC's program leaves that one alone. Which of its questions does yours not ask?"
UNCHANGED = "Only the language changes: BCC's program lets it go on."


def check(program: Program) -> None:
    in_libbpfs_c(program, STARTED)
    original = Program("traffic", ORIGINAL)
    for what, packet in PACKETS:
        run, wanted = program.run(packet), original.run(packet)
        equal(what, "verdict", wanted.verdict, run.verdict, UNCHANGED)
        equal(what, "frame", wanted.after.hex(" "), run.after.hex(" "), UNCHANGED)
        _compare(what, original, program)
    first = cpus()[:1]
    for protocol in range(256):
        packet = frame(IP(proto=protocol, options=b"\x01" * 4) / bytes(8))
        for one in (original, program):
            one.run(packet, cpus=first)
    _compare("a packet with IP options of each of 256 protocols", original, program)
    for _ in range(4):
        before = _counts(program)[1]
        sent, times = at_once(program, "a ping", IP() / ICMP())
        right = {"packets": times, "bytes": times * len(frame(IP() / ICMP()))}
        more = {name: count - before[name] for name, count in _counts(program)[1].items()}
        equal(sent, "protocols[1]", right, more, f"{LOST} Which kind of map has BCC's program?")


def _compare(what: str, original: Program, program: Program, think: str = "") -> None:
    right, found = _counts(original), _counts(program)
    differ = sorted(key for key in right | found if right.get(key) != found.get(key))
    if differ:
        key = differ[0]
        expected, happened = _shown(right, differ), _shown(found, differ)
        raise Wrong(what, expected, happened, think or _thought(right, found, key))


def _counts(program: Program) -> Counts:
    """What is not 0; a map of any kind will do."""
    found: dict[int, Any] = {}
    for key, value in program["protocols"].items():
        both = getattr(value, "sum", value)
        if not (isinstance(both, dict) and both.keys() == {"packets", "bytes"}):
            form = f"fields {', '.join(both)}" if isinstance(both, dict) else "no struct"
            raise Wrong("your map", "values with packets and bytes", form, NOT_A_STRUCT)
        if any(both.values()):
            found[int(key)] = dict(both)
    return found


def _shown(counts: Counts, keys: list[int]) -> str:
    shown = [f"protocols[{key}] {counts.get(key, {'packets': 0, 'bytes': 0})}" for key in keys[:2]]
    return ", ".join(shown) + (f" and {len(keys) - 2} more" if len(keys) > 2 else "")


def _thought(right: Counts, found: Counts, key: int) -> str:
    if not found:
        return NEITHER
    if _packets(found) > _packets(right):
        return TOO_MANY
    both = found.keys() & right.keys()
    if any(found[one]["packets"] < right[one]["packets"] for one in both):
        return SENT_AWAY
    if key in both:
        return MORE_BYTES
    return ANOTHER if found.keys() - right.keys() else NO_SUCH_KEY


def _packets(counts: Counts) -> int:
    return sum(one["packets"] for one in counts.values())
