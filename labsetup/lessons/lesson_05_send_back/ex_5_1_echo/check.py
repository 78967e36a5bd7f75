"""An answer by exchange alone: a sum does not mind the order.

What became of the first datagram tells what is wrong with the exchange. Then comes what must go on
as it came, then what must come back, and at the end a client on a network.
"""

from __future__ import annotations

import socket
from typing import Any

from scapy.packet import Packet

from labsetup import ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether, IPv6, Program, two_hosts
from labsetup.network.network import Network
from labsetup.packets.craft import frame
from labsetup.packets.fields import Field
from labsetup.practice.checking import DROP, PASS, TX, Wrong, expect
from labsetup.programs.run import Run


def datagram(sport: int = 4242, dport: int = 7, tag: Packet | None = None, **header: Any) -> Packet:
    """UDP from one end to the other, with fields of the IPv4 header as they are given."""
    # No byte of one end is in the same place of the other.
    ip = IP(src="198.51.100.7", dst="192.0.2.2", **header) / UDP(sport=sport, dport=dport)
    ip /= b"are you there?"
    ether = Ether(src="02:11:22:33:44:55", dst="06:aa:bb:cc:dd:ee")
    return ether / tag / ip if tag else ether / ip


ENDS = ((Ether, "src", "dst"), (IP, "src", "dst"), (UDP, "sport", "dport"))


def turned(packet: Packet) -> bytes:
    """The same frame with sender and receiver exchanged, its checksums as they were."""
    whole = Ether(frame(packet))
    for layer, sender, receiver in ENDS:
        header = whole[layer]
        old = header.getfieldval(sender), header.getfieldval(receiver)
        header.setfieldval(receiver, old[0])
        header.setfieldval(sender, old[1])
    return bytes(whole)


ELSE = "All else goes on. Which packets does your condition let through to the exchange?"
GOES_ON = "All else goes on to the stack. Which verdict lets a packet go on?"
SWAPPED = "1792 is 7 with its two bytes in the other order."
HALF = "263 is 256 + 7. How many bytes has a port?"
FOREVER = "An answer comes from port 7. If that is answered, too, when does it end?"
BEHIND = "With options UDP lies further back: parse() has found it."
WHERE = "Who sends the answer, and to whom, in each of the three headers? And what stays?"
ASKED = "It came out as it went in. Does your program come as far as the exchange?"
LEAVES = "Which verdict lets a frame leave where it came in?"
LOST = "What was overwritten first is lost: a pointer keeps no copy."
COPIED = LOST + " And memcpy takes three things: to, from, and how many bytes."
PART = "Some bytes of a field changed places, and some did not. How many has it?"
BEYOND = "Ethernet's type lies behind the two addresses. How far does your program write?"

PLACES = ((0, 6), (26, 4), (34, 2))  # where a header's ends stand side by side, and their size

OVER_IPV6 = IPv6() / UDP(sport=4242, dport=7) / b"hello"
LOOKALIKE = datagram(dport=53, options=b"\x01\x01\0\7" + b"\x01" * 4)
UNCHECKED = Ether() / IP() / UDP(sport=4242, dport=7, chksum=0) / b"x"

OTHERS = [
    ("UDP to another port", datagram(dport=53), ELSE),
    ("UDP to port 1792", datagram(dport=1792), SWAPPED),
    ("UDP to port 263", datagram(dport=263), HALF),
    ("UDP from port 7, an answer", datagram(sport=7, dport=4242), ELSE),
    ("UDP from port 7 to port 7", datagram(sport=7), FOREVER),
    ("TCP to port 7", IP() / TCP(dport=7), ELSE),
    ("a ping", IP() / ICMP(), ELSE),
    ("UDP to port 7 over IPv6", OVER_IPV6, "Only IPv4 is asked for here."),
    ("UDP to port 53, with IP options that look like ports", LOOKALIKE, BEHIND),
    ("ARP", ARP(), ELSE),
]
FIRST = ("UDP to port 7", datagram())
MINE = [
    ("UDP to port 7, from port 263", datagram(sport=263), HALF),
    ("UDP to port 7 without a checksum", UNCHECKED, WHERE),
    ("UDP to port 7 with a TTL of 1", datagram(ttl=1), WHERE),
    ("UDP to port 7 with a VLAN tag", datagram(tag=Dot1Q(vlan=7)), WHERE),
]
OPTIONS = ("UDP to port 7 with IP options", datagram(options=b"\x01" * 8), BEHIND)


def thought(run: Run) -> str:
    """On what became of the first datagram, which is to be sent back."""
    if run.verdict != TX:
        return ASKED if run.after == run.before else LEAVES
    if run.after[34:36] == b"\7\0":
        return SWAPPED
    for at, size in PLACES:
        old, new = (
            [raw[at : at + size], raw[at + size : at + 2 * size]] for raw in (run.before, run.after)
        )
        if new[0] == new[1]:
            return LOST if at else COPIED
        moved = [new[0][i : i + 1] == old[1][i : i + 1] for i in range(size)]
        if any(moved) and not all(moved):
            return PART
    return WHERE


def goes_on(program: Program, what: str, packet: Packet, think: str) -> None:
    """What is not asked for reaches the stack as it came."""
    expect(program, what, packet, PASS, GOES_ON if program.run(packet).verdict == DROP else think)


def comes_back(program: Program, what: str, packet: Packet, think: str) -> None:
    """What is asked for is turned round, and nothing else of it is changed."""
    expect(program, what, packet, TX, think, turned(packet))


def check(program: Program) -> None:
    what, packet = FIRST
    run = program.run(packet)
    type_before, type_after = (int.from_bytes(raw[12:14]) for raw in (run.before, run.after))
    if type_before != type_after:  # all that lies behind it would be told as something else
        differs = [Field("Ether", "type", f"{type_before:#06x}", f"{type_after:#06x}")]
        sent = f"{what} ({len(run.before)} bytes)"
        raise Wrong(sent, "the same EtherType", "another one", BEYOND, differs)
    if run.verdict == TX:  # then it is known which field of it is wrong
        comes_back(program, what, packet, thought(run))
    for case in OTHERS:
        goes_on(program, *case)
    comes_back(program, what, packet, thought(run))
    for case in MINE:
        comes_back(program, *case)
    stays = program.run(OPTIONS[1]).verdict in {PASS, DROP}  # a reply must copy no source route
    (goes_on if stays else comes_back)(program, *OPTIONS)
    net = two_hosts()
    program.attach(net.server.eth0)
    for size in (0, 1, 14, 1400):
        said = bytes(size)
        if ask(net, said) != said:
            sent = f"a datagram of {size} bytes over a network"
            think = "On single packets all is well. Follow its journey."
            raise Wrong(sent, "it comes back", "it does not", think)


def ask(net: Network, said: bytes) -> bytes | None:
    """What the server answers to a datagram; nothing, if it does not."""
    with net.client.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.settimeout(2)  # an answer is there at once, if the machine is not busy
        ours.connect(("192.0.2.2", 7))
        try:
            ours.send(said)
            return ours.recv(2000)
        except OSError:
            return None
