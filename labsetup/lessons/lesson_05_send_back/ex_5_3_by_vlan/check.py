"""A device map: which way out depends on the packet.

Single frames come first: without a tag, of VLANs that are known and unknown, with bits above the
number. Then frames cross a network that has two ways out.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence

from scapy.packet import Packet

from labsetup import ARP, ICMP, IP, Ether, Program, send
from labsetup.network.interface import Interface
from labsetup.network.network import Network
from labsetup.packets.craft import frame
from labsetup.practice.checking import PASS, REDIRECT, TX, Case, Wrong, expect

EXPERIMENT = b"experiment, and enough of it to fill a header or two"


def tagged(vlan: int, above: int = 0, behind: bytes = EXPERIMENT) -> Packet:
    """A frame with a tag; above: the bits of its number that are none of the VLAN's."""
    return Ether(type=0x8100) / (struct.pack("!2H", above | vlan, 0x88B5) + behind)


def stranger(bit: int) -> Case:
    """A VLAN whose number has one bit more than 10."""
    number, (more, less) = 10 + bit, sorted((10, bit), reverse=True)
    think = f"{number} is {more} + {less}. {TWELVE}"
    return f"a frame of VLAN {number}, which ports does not know", tagged(number), PASS, think


def prior(bit: int) -> Case:
    """VLAN 10 with one of the four bits that are its priority."""
    what = f"a frame of VLAN 10, and the bit {bit:#06x} above its number"
    return what, tagged(10, bit), REDIRECT, PRIORITY


UNTAGGED = "It has no tag. What do you read in its place?"
UNKNOWN = "Nothing is in that place of ports. What does redirect_map() return then, and you?"
NUMBERS = (
    "Where does the tag begin? (eth + 1 is a whole header on, (void *)eth + 1 one byte.) Which "
    "number comes out of it, in which byte order? And what becomes of the verdict that "
    "redirect_map() returns?"
)
SWAPPED = "2560 is 10 with its two bytes in the other order."
TWELVE = "How many bits has the number of a VLAN?"
OTHERS = "ports has that number as well. For which numbers does your program look there?"
WHOLE = "All of the tag is there. How many bytes does your comparison ask for?"
BACK = "Where does a frame with XDP_TX leave? And which verdict does redirect_map() return?"
PRIORITY = (
    "The bits above the lower 12 are a priority, and no part of the number. In which byte order is "
    "it when you mask it?"
)
HALF = "Half a tag has no number: leave it to the stack."
PLAIN = frame(Ether() / IP(src="192.0.0.10", dst="192.0.2.2") / ICMP())
LOOKALIKE = Ether(type=0x88B5) / b"\0\x0a\x88\xb5experiment"

CASES: list[Case] = [
    ("a ping without a tag", PLAIN, PASS, UNTAGGED),
    ("a frame without a tag that has a 10 in the place of one", LOOKALIKE, PASS, UNTAGGED),
    ("ARP", ARP(), PASS, UNTAGGED),
    ("a frame of VLAN 99, which ports does not know", tagged(99), PASS, UNKNOWN),
    ("a frame of VLAN 2560, which ports does not know", tagged(2560), PASS, SWAPPED),
    ("a frame of VLAN 10", tagged(10), REDIRECT, NUMBERS),
    ("a frame of VLAN 10 that ends behind its tag", tagged(10, behind=b""), REDIRECT, WHOLE),
    *(stranger(bit) for bit in (512, 1024, 2048)),
    ("a frame of VLAN 266", tagged(266), REDIRECT, OTHERS),
    ("a frame of VLAN 10 with a priority of 5", tagged(10, 0xA000), REDIRECT, PRIORITY),
    *(prior(bit) for bit in (0x1000, 0x2000, 0x4000, 0x8000)),
    ("a frame of VLAN 4000", tagged(4000), REDIRECT, OTHERS),
    *(stranger(bit) for bit in (128, 64, 32, 16, 4, 1)),
    ("a frame that ends within its tag", frame(tagged(10))[:16], PASS, HALF),
]
EACH = 5


def come_out(net: Network, packet: Packet, ways: Sequence[Interface]) -> list[int]:
    """How many of some frames from the client get to the other end of each way."""
    before = [way.peer.counters for way in ways]
    send(net.client.eth0, packet, count=EACH)
    end = time.monotonic() + 0.3
    while True:
        pairs = zip(ways, before, strict=True)
        came = [(way.peer.counters - old)["rx_packets"] for way, old in pairs]
        if sum(came) >= EACH or time.monotonic() > end:
            return came
        time.sleep(0.01)  # polls: nobody tells when the last one has come


def check(program: Program) -> None:
    net = Network(
        [
            ("client eth0 192.0.2.1/26", "middle eth0 192.0.2.2/26"),
            ("middle eth1 192.0.2.65/26", "s1 eth0 192.0.2.66/26"),
            ("middle eth2 192.0.2.129/26", "s2 eth0 192.0.2.130/26"),
        ]
    )
    ways = {10: net.middle.eth1, 266: net.middle.eth2}
    for vlan, interface in ways.items():
        program["ports"][vlan] = interface
        Program("xdp_pass").attach(interface)  # and so at its peer, which must run XDP
    program["ports"][4000] = net.middle.eth2
    for what, packet, verdict, think in CASES:
        sent_back = verdict == REDIRECT and program.run(packet).verdict == TX
        expect(program, what, packet, verdict, BACK if sent_back else think)
    program.attach(net.middle.eth0)
    for vlan, interface in ways.items():
        came = come_out(net, tagged(vlan), list(ways.values()))
        wanted = [EACH * (way is interface) for way in ways.values()]
        if came != wanted:
            think = "Who says where the frame goes? bpf_redirect() takes an interface's number."
            sent = f"{EACH} frames of VLAN {vlan} over a network"
            raise Wrong(sent, _shown(ways, wanted), _shown(ways, came), think)


def _shown(ways: dict[int, Interface], counts: list[int]) -> str:
    pairs = zip(ways.values(), counts, strict=True)
    return f"{sum(counts)} come out: " + ", ".join(f"middle {way.name} {n}" for way, n in pairs)
