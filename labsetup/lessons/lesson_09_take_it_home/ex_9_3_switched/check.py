"""A program that is switched while it runs, and told at its loading what it is about.

The switch is turned between packets first; then the program is loaded for another protocol; then
several CPUs count at once, and at the end the switch is turned while packets run.
"""

from __future__ import annotations

import threading
import time

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
from labsetup.practice.checking import (
    DROP,
    LOST,
    PASS,
    ROUND,
    Wrong,
    at_once,
    equal,
    expect,
    running_again,
)
from labsetup.programs.run import VERDICTS

PING, DATAGRAM = IP() / ICMP(), IP() / UDP()
OFF = "Nobody has turned it on: what is dropping before anybody sets it, and what is asked of it?"
ON = "dropping was set from outside. Does the program ask it for each packet, and drop if it is on?"
SEEN = (
    "A variable of a function's goes with the packet, and one that nobody can change a compiler "
    "leaves out. Where does yours stand, and who may see it?"
)
FIXED = "Who says that it can change, and who that it cannot, while the program runs?"
STILL = "It was turned on, and nobody has turned it off, or does anything else set it?"
OFF_AGAIN = (
    "It was turned off again. Is it asked for each packet anew, and does nothing else set it?"
)
BY_DEFAULT = (
    "A ping is of the protocol that is meant where nobody sets another. In which byte order is a "
    "protocol compared, which is one byte? And does each packet of it count as what became of it?"
)
ANY = "On is whatever is not 0. With what does your program compare it?"
ALONE = "That is no business of the switch's: it goes on, and is counted nowhere."
COUNTED = "Each packet of the protocol counts once, as what became of it, and by one."
NOT_ASKED = (
    "The constant was set at loading, and the program does what it did before. A compiler believes "
    "what it sees: which word tells it that a value may be another when the program runs?"
)
NO_CONSTANT = "What does the C have by that name, and who could set it before the program runs?"
WIDE = "A protocol is any number from 0 to 255. Has it room, and in which byte order is one byte?"
UNSET = "Nobody set the constant this time, so it is 1, ICMP."
ONCE = (
    "Some packets had one fate and were counted for the other. How often does your program read "
    "dropping for one packet? Between two readings it may be turned."
)
PATIENCE = 5.0  # seconds
TURNING = """
int turns(struct xdp_md *ctx)
{
	dropping = !dropping;
	return XDP_PASS;
}
"""
OTHERS: list[tuple[str, Packet | bytes]] = [
    ("TCP", IP() / TCP()),
    ("UDP", DATAGRAM),
    ("ARP", ARP()),
    ("a ping over IPv6", IPv6() / ICMPv6EchoRequest()),
    ("something unknown that looks like IPv4", Ether(type=0x88B5) / frame(PING)[14:]),
    ("IPv4 cut off in the middle of its header", frame(PING)[:30]),
]


def check(program: Program) -> None:
    expect(program, "a ping, while dropping is as it was loaded", PING, PASS, OFF)
    for name in ("dropping", "dropped", "passed"):
        if name not in program.variables:
            has = ", ".join(program.variables) or "none"
            raise Wrong("the loaded program", f"a variable {name}", f"its variables: {has}", SEEN)
    _counts(program, "a ping, while dropping is as it was loaded", 1, 0, BY_DEFAULT)
    turns: list[tuple[int | None, str, str]] = [
        (1, DROP, ON),
        (None, DROP, STILL),
        (0, PASS, OFF_AGAIN),
        (2, DROP, ANY),
    ]
    turns += [(-1, DROP, ANY)]
    turns += [(0, PASS, OFF_AGAIN), (1 << 16, DROP, ANY)]
    passed, dropped = 1, 0
    for value, verdict, think in turns:
        what = f"a ping, while dropping is {'still what it was' if value is None else value}"
        if value is not None and not _turned(program, value):
            continue
        expect(program, what, PING, verdict, think)
        passed, dropped = passed + (verdict == PASS), dropped + (verdict == DROP)
        _counts(program, what, passed, dropped)
    for value in (0, 1):
        _turned(program, value)
        for what, packet in OTHERS:
            expect(program, f"{what}, while dropping is {value}", packet, PASS, ALONE)
            _counts(program, f"{what}, while dropping is {value}", passed, dropped, ALONE)
    _loaded_for(program, 17, ("UDP", DATAGRAM), ("a ping", PING), NOT_ASKED)
    nobodys = IP(proto=254) / b"experiment"
    _loaded_for(program, 254, ("protocol 254", nobodys), ("UDP", DATAGRAM), WIDE)
    again = Program(program)
    expect(again, "a ping, and dropping as it was loaded", PING, PASS, OFF)
    _turned(again, 1)
    expect(again, "a ping, loaded once more without constants", PING, DROP, UNSET)
    for value, name in 4 * ((0, "passed"), (1, "dropped")):
        _turned(program, value)
        before = program.variables[name]
        sent, times = at_once(program, f"a ping, while dropping is {value}", PING)
        equal(sent, name, times, program.variables[name] - before, LOST)
    if len(cpus()) > 1:
        _turned_at_work(program)


def _turned(program: Program, value: int) -> bool:
    """Set dropping, of whatever type; False where it has no room for that value."""
    try:
        program.variables["dropping"] = value
    except LabError as error:
        if value not in (0, 1):
            return False
        what = "a variable that can be set"
        raise Wrong(f"dropping set to {value}", what, str(error), FIXED) from None
    return True


def _counts(program: Program, what: str, passed: int, dropped: int, think: str = COUNTED) -> None:
    right = {"passed": passed, "dropped": dropped}
    equal(what, "variables", right, {name: program.variables[name] for name in right}, think)


def _loaded_for(
    program: Program,
    protocol: int,
    its: tuple[str, Packet],
    other: tuple[str, Packet],
    think: str,
) -> None:
    """Load the program for another protocol."""
    constants = {"protocol": protocol}
    try:
        loaded = Program(program, constants=constants)
    except LabError as error:
        sent = f"the program, loaded with constants={constants}"
        has_none = "protocol" not in program.variables
        think = NO_CONSTANT if has_none else think
        raise Wrong(sent, f"protocol is {protocol}", str(error), think) from None
    how = f"loaded with constants={{'protocol': {protocol}}}, while dropping is 1"
    _turned(loaded, 1)
    expect(loaded, f"{its[0]}, {how}", its[1], DROP, think)
    expect(loaded, f"{other[0]}, {how}", other[1], PASS, think)
    _counts(loaded, f"both, {how}", passed=0, dropped=1)


def _turned_at_work(program: Program) -> None:
    """Turn the switch on one CPU while another has packets: each counts as what became of it."""
    counting = running_again(program, TURNING)
    first, last = cpus()[0], cpus()[-1]
    met, until = 0, time.monotonic() + PATIENCE
    while met < 4 and time.monotonic() < until:
        before = [_became(counting, verdict) for verdict in (DROP, PASS)]
        turns = threading.Thread(target=counting.functions["turns"].run, args=(PING, ROUND, [last]))
        turns.start()
        counting.run(PING, repeat=ROUND, cpus=[first])
        turns.join()
        after = [_became(counting, verdict) for verdict in (DROP, PASS)]
        for name, verdict, became in zip(("dropped", "passed"), (DROP, PASS), after, strict=True):
            if (counted := counting.variables[name]) != became:
                sent = f"a ping {ROUND:,} times, and dropping turned by another CPU meanwhile"
                happened = f"{name} {counted:,}, {abs(counted - became):,} off"
                raise Wrong(sent, f"{name} {became:,}, as many as had {verdict}", happened, ONCE)
        # Both verdicts in one round: it was turned meanwhile.  Where others keep the CPUs busy, one
        # has often ended before the other begins.
        met += all(then < now for then, now in zip(before, after, strict=True))


def _became(counting: Program, verdict: str) -> int:
    return int(counting["lab_verdicts"][VERDICTS.index(verdict)].sum)
