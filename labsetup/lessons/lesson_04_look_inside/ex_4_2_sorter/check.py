"""A loss that no error tells of, found by the law of conservation.

All kinds go over a network together, to see that none is lost; then one kind at a time. What is
left needs no network.
"""

from __future__ import annotations

import time

from scapy.packet import Packet

from labsetup import ICMP, IP, TCP, UDP, Ether, IPv6, Program, account, send, two_hosts
from labsetup.network.network import Network
from labsetup.practice.checking import DROP, PASS, Case, Wrong, expect, expect_each

ELSE = "All else is to go on."
TO_80 = "All else is to go on: this is TCP, and not to port 7."
BALANCED = "The account balances, but that is not what the program is said to do with these."
NOT_TCP = "All else is to go on: to port 7, but this is not TCP."
TO_263 = "All else is to go on. Is this TCP to port 7?"

KINDS: list[tuple[str, Packet, str, str]] = [  # nothing that anybody answers
    ("pings' answers", IP() / ICMP(type=0), "passed", ELSE),
    ("TCP to port 80", IP() / TCP(dport=80, flags="R"), "passed", TO_80),
    ("frames of an unknown EtherType", Ether(type=0x88B5) / b"experiment", "passed", ELSE),
    ("UDP", IP() / UDP(dport=4242), "dropped", "UDP is to end here, as before."),
    ("TCP to port 7", IP() / TCP(dport=7, flags="R"), "sent back", BALANCED),
]
SIX = "IPv4 or IPv6, TCP is TCP and UDP is UDP: parse() finds both."
OVER_IPV6 = ("TCP to port 7 over IPv6", IPv6() / TCP(dport=7, flags="R"), "sent back", SIX)
SEVEN = "That is UDP, and UDP is to end here, whatever its ports."
AS_IT_IS = "The frame goes back as it is. Which fields does yours write?"
SINGLE: list[Case] = [  # their verdicts tell as much as a network, and sooner
    ("SCTP to port 7", IP(proto=132) / bytes(UDP(dport=7)), PASS, NOT_TCP),
    ("TCP from port 7 to port 263", IP() / TCP(sport=7, dport=263), PASS, TO_263),
    ("UDP to port 7", IP() / UDP(sport=4242, dport=7), DROP, SEVEN),
    ("UDP from port 7", IP() / UDP(sport=7, dport=4242), DROP, SEVEN),
    ("UDP over IPv6", IPv6() / UDP(dport=4242), DROP, SIX),
]
EACH = 5
LOST = "Send one kind at a time: which is it that has no fate? Then ask run() for its verdict."


def fates(net: Network, packets: Packet | list[Packet]) -> dict[str, int]:
    """What becomes of packets at the server, when all of them have come or are lost."""
    law = account(net)
    send(net.client.eth0, packets, count=EACH)
    end = time.monotonic() + 0.3
    while (rows := law.balances)[1].missing and time.monotonic() < end:
        time.sleep(0.01)  # polls: nobody tells when the last one has come
    client, server = rows
    back = server.sent_back + min(server.redirected, client.received)  # by the kernel's helper
    return {
        "passed": server.passed,
        "dropped": server.dropped,
        "aborted": server.aborted,
        "sent back": back,
        "missing": server.missing,
    }


def check(program: Program) -> None:
    net = two_hosts()
    program.attach(net.server.eth0)
    found = fates(net, [packet for _, packet, *_ in KINDS])
    sent = f"{EACH} packets each of {len(KINDS)} kinds"
    if found["missing"]:
        raise Wrong(sent, "missing 0", _shown(found), LOST)
    for what, packet, fate, think in [*KINDS, OVER_IPV6]:
        found = fates(net, packet)
        if found[fate] != EACH:
            raise Wrong(f"{EACH} {what}", f"{fate} {EACH}", _shown(found, fate), think)
    expect_each(program, SINGLE)
    seven = IP() / TCP(sport=4242, dport=7)
    verdict = program.run(seven).verdict  # there is more than one that sends back
    expect(program, "TCP to port 7", seven, verdict, AS_IT_IS, seven)


def _shown(found: dict[str, int], asked: str = "") -> str:
    return ", ".join(f"{fate} {n}" for fate, n in found.items() if n or fate == asked)
