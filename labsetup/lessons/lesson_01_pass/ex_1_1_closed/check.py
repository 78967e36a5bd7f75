"""One word changes the fate of every packet.

Five kinds of packets are tried, a ping first. The thought depends on the verdict that it gets.
"""

from __future__ import annotations

from labsetup import ARP, ICMP, IP, TCP, Ether, IPv6, Program
from labsetup.practice.checking import expect

THOUGHTS = {
    "XDP_PASS": "The packet still goes on to the stack. Which verdict ends it?",
    "XDP_ABORTED": "It ends, and leaves a trace: the verdict of a program that failed. (0 is its "
    "number.)",
    "XDP_TX": "It goes back out of the interface that it came in by.",
    "XDP_REDIRECT": "It would go out of another interface, and the program does not say which.",
}


def check(program: Program) -> None:
    packets = {
        "a ping": IP() / ICMP(),
        "TCP": IP() / TCP(),
        "ARP": ARP(),
        "IPv6": IPv6(),
        "something unknown": Ether(type=0x88B5) / b"experiment",
    }
    for what, packet in packets.items():
        verdict = program.run(packet).verdict
        thought = THOUGHTS.get(verdict, "That number is no verdict: look at the table again.")
        expect(program, what, packet, "XDP_DROP", thought)
