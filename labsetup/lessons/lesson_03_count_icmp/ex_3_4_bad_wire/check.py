"""A decision that depends on the packets before.

Six pings on one CPU, then on two in turn, then with other packets between them, which must not
count, and ICMP of other kinds, which must. At the end several CPUs count at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from scapy.packet import Packet

from labsetup import ARP, ICMP, IP, TCP, Ether, Program, cpus
from labsetup.packets.craft import frame
from labsetup.practice.checking import DROP, PASS, Wrong, at_once, expect, running_again
from labsetup.programs.run import VERDICTS

PING = IP() / ICMP()
STILL = (
    "Is the count odd or even? Or does it stand still from then on: is the addition reached when a "
    "packet is dropped? What stands behind a return is not done."
)
LATE_ONE = "Every second one it is, but which is the first that is dropped?"
AT_ONCE = (
    "When two CPUs at once read the count, both may see the same. Which addition is done in one "
    "step, what does it return, and does each packet decide by that alone?"
)
KINDS = "ICMP of any kind counts, whoever sends it. Which does yours leave out, or count apart?"
EXPECTED = "pass, drop, pass, drop, pass, drop"


def check(program: Program) -> None:
    def verdicts(sequence: Sequence[int]) -> str:
        names = [program.run(PING, cpus=[cpu]).verdict for cpu in sequence]
        return ", ".join(name.removeprefix("XDP_").lower() for name in names)

    first, last = cpus()[0], cpus()[-1]
    found = verdicts([first] * 6)
    thoughts = {
        "pass, pass, pass, pass, pass, pass": "Does the map remember? Look at the count "
        "in it after a few packets. With which key do you look it up? And to what do "
        "you add: to the pointer, or to what it points to? And is the addition reached, and the "
        "count written once for each packet?",
        "drop, pass, drop, pass, drop, pass": "Which number does the first packet see, 0 or 1? "
        "It is the one that is to pass.",
        "pass, drop, drop, drop, drop, drop": STILL,
        "drop, drop, drop, drop, drop, drop": f"All are dropped. What decides? {STILL}",
        "pass, pass, drop, pass, drop, pass": LATE_ONE,
    }
    think = thoughts.get(found, "It is to be every second one.")
    if found != EXPECTED:
        raise Wrong("six pings", EXPECTED, found, think)
    found = verdicts([first, last, last, first, last, first])
    if found != EXPECTED:
        raise Wrong(
            "six pings on two CPUs in turn",
            EXPECTED,
            found,
            "It seems that each CPU counts for itself. Is that wanted here?",
        )
    for packet in (ARP(), IP() / TCP(), Ether(type=0x88B5) / frame(PING)[14:]):
        for _ in range(3):
            expect(program, "a packet that is no ICMP", packet, PASS, "Only ICMP is dropped.")
        found = verdicts([first, first])
        if found != "pass, drop":
            raise Wrong(
                "two pings, after three packets that are no ICMP",
                "pass, drop",
                found,
                "Others pass, and do not count.",
            )
    kinds: list[Packet] = [
        IP() / ICMP(type=0),
        IP(src="192.0.2.77") / ICMP(),
        IP() / ICMP(type=3, code=4) / bytes(28),
        IP(options=b"\x01" * 4) / ICMP() / bytes(900),
    ]
    for kind in [*kinds, *kinds]:
        expect(program, "the first of two", kind, PASS, KINDS)
        expect(program, "the second of two, a ping", PING, DROP, KINDS)
        expect(program, "the first of two, a ping", PING, PASS, KINDS)
        expect(program, "the second of two", kind, DROP, KINDS)
    counting = running_again(program)
    for _ in range(2):  # who makes an entry of a map does so now
        counting.run(PING)
    for _ in range(4 if first != last else 1):
        counting["lab_verdicts"].clear()
        sent, times = at_once(counting, "a ping", PING, 300_000)
        dropped = counting["lab_verdicts"][VERDICTS.index(DROP)].sum
        if dropped != times // 2:
            happened = f"dropped {dropped:,}, which is {abs(dropped - times // 2):,} off"
            raise Wrong(sent, f"dropped {times // 2:,}", happened, AT_ONCE)
