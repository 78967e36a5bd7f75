"""Direct server return, from the packet's side: two addresses change, and nothing else.

The packet that it is all about comes first, then MAC addresses as devices have them, IPv6, and what
is no business of the balancer's.
"""

from __future__ import annotations

from labsetup import ARP, VIP, Ether, Program
from labsetup.lessons.balancers import (
    BROADCAST,
    CLIENT,
    datagram,
    handed,
    others,
    over_ipv6,
    tell,
    to_another,
    to_vip,
)
from labsetup.packets.craft import frame
from labsetup.practice.checking import PASS, equal, expect

SENDS = "It is for the VIP and came to lb: it goes on to the server, by the way that it came."
OURS = "That is no business of the balancer's."
WHO = "The map says who the server is, and may say another tomorrow."
WHOLE = "Some bytes of an address were not copied. How long is a MAC address?"
SIX = "for_vip() lets it through. It is for the VIP, over IPv6, and its server waits for it."
CUT = "There is no whole IPv4 header in it: leave it to the stack."


def check(program: Program) -> None:
    tell(program, "s3")
    to = handed(program, "TCP for the VIP", to_vip(), SENDS)
    equal("TCP for the VIP", "handed to", "s3", to, WHO)
    to_another(program, 0, to_vip(), WHOLE)
    tell(program, "s3")
    handed(program, "TCP for the VIP, over IPv6", over_ipv6(), SIX)
    for what, packet in others().items():
        expect(program, what, packet, PASS, OURS)
    question = Ether(dst=BROADCAST, src=CLIENT) / ARP(pdst=VIP)
    expect(program, "a question for the VIP's MAC address", question, PASS, OURS)
    expect(program, "TCP for the VIP, cut off", frame(to_vip())[:30], PASS, CUT)
    handed(program, "UDP for the VIP", datagram(), "It goes to the server, whatever it carries.")
    tell(program, "s5")
    what = "TCP for the VIP, with s5 in the map"
    to = handed(program, what, to_vip(), SENDS)
    equal(what, "handed to", "s5", to, WHO)
