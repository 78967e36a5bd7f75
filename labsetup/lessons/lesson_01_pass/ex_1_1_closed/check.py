"""One word changes the fate of every packet.

Packets of several kinds are tried, a ping first. The thought depends on the verdict that it gets.
At the end come frames of many lengths.
"""

from __future__ import annotations

from scapy.packet import Packet

from labsetup import ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether, IPv6, Program
from labsetup.packets.craft import frame
from labsetup.practice.checking import expect

THOUGHTS = {
    "XDP_PASS": "The packet still goes on to the stack. Which verdict ends it?",
    "XDP_ABORTED": "It ends, and leaves a trace: the verdict of a program that failed. (0 is its "
    "number.)",
    "XDP_TX": "It goes back out of the interface that it came in by.",
    "XDP_REDIRECT": "It would go out of another interface, and the program does not say which.",
}

SIZES = [14, 15, 33, 34, 60, 64, 65, 100, 101, 127, 128, 255, 256, 257, 511, 512, 1000, 1023, 1024]
SIZES += [1500, 1501, 1513, 1514, 1515, 2048, 3000]


def check(program: Program) -> None:
    packets: dict[str, Packet | bytes] = {
        "a ping": IP() / ICMP(),
        "TCP": IP() / TCP(),
        "ARP": ARP(),
        "IPv6": IPv6(),
        "something unknown": Ether(type=0x88B5) / b"experiment",
        "UDP": IP() / UDP(),
        "a broadcast": Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(),
        "a VLAN tag": Ether() / Dot1Q(vlan=7) / IP() / ICMP(),
    }
    whole = frame(IP() / ICMP() / bytes(3000))
    packets |= {f"a frame of {size:,} bytes": whole[:size] for size in SIZES}
    for what, packet in packets.items():
        verdict = program.run(packet).verdict
        thought = THOUGHTS.get(verdict, "That number is no verdict: look at the table again.")
        expect(program, what, packet, "XDP_DROP", thought)
