"""What programs of tests/elsewhere do to a packet and its headers, in order."""

from __future__ import annotations

import socket
import sys
from typing import Any

from scapy.layers.inet import IPOption_NOP
from scapy.layers.l2 import Dot1AD

from labsetup import (
    ARP,
    ICMP,
    IP,
    TCP,
    UDP,
    VIP,
    Dot1Q,
    Ether,
    ICMPv6EchoRequest,
    IPv6,
    Program,
    Raw,
)
from labsetup.packets.craft import FIRST_MAC, SECOND_MAC, frame
from support.elsewhere import (
    ABORTED,
    DROP,
    PASS,
    PING,
    SYN,
    TX,
    UDP4,
    UDP6,
    Step,
    Story,
    as_kept,
    to_port,
)

MARKED, MAC = Ether() / IP() / Raw(b"x"), "02:00:00:00:0a:01"
BACK = Ether(src=SECOND_MAC, dst=FIRST_MAC)


def echo6(sequence: int) -> Any:
    return IPv6() / ICMPv6EchoRequest(seq=sequence)


def with_mss(mss: int, *before: Any) -> Any:
    return Ether() / IP() / TCP(flags="S", options=[*before, ("MSS", mss)])


def checksum_of_zero() -> tuple[Any, Any]:
    """A UDP packet whose checksum would be 0 at the port below, and so must be 0xFFFF there."""
    rest = frame(to_port(7) / Raw(b"\0\0"))[40:42]
    return to_port(8) / Raw(rest), to_port(7) / Raw(rest)


def marked(number: int) -> bytes:
    """A ping with a word before it: the kernel's test run gives that back in front of the frame."""
    return number.to_bytes(4, sys.byteorder) + frame(PING)


def _balanced(program: Program) -> None:
    vip = socket.inet_aton(VIP) + bytes(12) + (80).to_bytes(2, "big") + bytes([6, 0])
    program["vip_map"][vip] = {"flags": 0, "vip_num": 2}
    for place in range(14, 21):
        program["ch_rings"][place] = 3
    program["reals"][3] = {"dst": as_kept("192.0.2.13"), "flags": 0}
    program["ctl_array"][0] = {"mac": bytes.fromhex(MAC.replace(":", ""))}


WEB = Ether() / IP(src="192.0.2.1", dst=VIP) / TCP(sport=9, dport=80, flags="S")
IN_IP = IP(src=VIP, dst="192.0.2.13", id=0, ttl=64, proto=4) / WEB[IP]
LONG = Ether() / IP(src="192.0.2.1", dst="192.0.2.2") / UDP() / Raw(bytes(600))
TOO_BIG = IP(src="192.0.2.2", dst="192.0.2.1", id=0, ttl=64) / ICMP(
    type=3, code=4, nexthopmtu=586
) / Raw(frame(LONG)[14:42])  # fmt: skip
TAGS = Dot1AD(vlan=3) / Dot1Q(vlan=4)

ABOUT_HEADERS = [
    Story("xdp_drop_func", (Step(PING, DROP), Step(Ether() / ARP(), DROP))),
    Story(
        "parse_icmp6_even",
        (
            Step(Ether() / echo6(2), DROP),
            Step(Ether() / echo6(3), PASS),
            Step(Ether() / TAGS / echo6(4), DROP),
            Step(Ether() / Dot1Q() / TAGS / echo6(4), PASS),
            Step(frame(Ether() / echo6(2))[:61], PASS),
            Step(UDP6, PASS),
        ),
    ),
    Story(
        "vlan_swap",
        (
            Step(Ether() / Dot1Q(vlan=7) / IP() / UDP(), PASS, UDP4),
            Step(UDP4, PASS, Ether() / Dot1Q(vlan=1) / IP() / UDP()),
            Step(
                Ether() / Dot1Q(vlan=1) / Dot1Q(vlan=2) / IP(), PASS, Ether() / Dot1Q(vlan=2) / IP()
            ),
        ),
    ),
    Story(
        "dport_minus_one",
        (
            Step(to_port(5001), PASS, to_port(5000)),
            Step(to_port(5001, chksum=0), PASS, to_port(5000, chksum=0)),
            Step(checksum_of_zero()[0], PASS, checksum_of_zero()[1]),
            Step(Ether() / IP() / TCP(dport=256), PASS, Ether() / IP() / TCP(dport=255)),
            Step(
                Ether() / IP(options=[IPOption_NOP()]) / UDP(dport=2),
                PASS,
                Ether() / IP(options=[IPOption_NOP()]) / UDP(dport=1),
            ),
            Step(frame(UDP4)[:36], ABORTED),
        ),
    ),
    Story(
        "icmp_echo_server",
        (
            Step(
                Ether() / IP(src="192.0.2.1", dst="192.0.2.2") / ICMP(id=3, seq=9) / Raw(b"abc"),
                TX,
                BACK
                / IP(src="192.0.2.2", dst="192.0.2.1")
                / ICMP(type=0, id=3, seq=9)
                / Raw(b"abc"),
            ),
            Step(Ether() / IP() / ICMP(type=0), PASS),
            Step(UDP4, PASS),
        ),
    ),
    Story(
        "fib_router",
        (
            Step(Ether() / IP(ttl=1), PASS),
            Step(Ether() / IP(dst="203.0.113.1"), PASS),
            Step(Ether() / ARP(), PASS),
            Step(frame(PING)[:20], PASS),
        ),
    ),
    Story(
        "katran_vips",
        (
            Step(
                WEB,
                TX,
                Ether(src=SECOND_MAC, dst=MAC) / IN_IP,
                maps={("stats", 2): {"v1": 1, "v2": 40}},
            ),
            Step(Ether() / IP(dst=VIP) / TCP(dport=81), PASS, maps={("stats", 2): {"v1": 1}}),
            Step(Ether() / IP(dst=VIP) / UDP(dport=80), PASS),
        ),
        _balanced,
    ),
    Story("katran_vips", (Step(WEB, PASS),)),
    Story(
        "decap_ipip",
        (
            Step(
                Ether() / IN_IP,
                PASS,
                WEB,
                maps={("decap_counters", 0): {"total": 1, "decapped": 1}},
            ),
            Step(WEB, PASS, maps={("decap_counters", 0): {"total": 2, "decapped": 1}}),
        ),
    ),
    Story(
        "loop_options",
        (
            Step(with_mss(500), DROP, variables={"last_mss": 500}),
            Step(with_mss(1460), PASS, variables={"last_mss": 1460}),
            Step(with_mss(500, ("NOP", None), ("WScale", 7)), DROP, variables={"last_mss": 500}),
            Step(SYN, PASS, variables={"last_mss": 0}),
            Step(with_mss(500, ("EOL", None)), PASS, variables={"last_mss": 0}),
        ),
    ),
    Story("loop_options", (Step(with_mss(1460), DROP),), constants={"min_mss": 1461}),
    Story(
        "icmp_too_big",
        (
            Step(LONG, TX, BACK / TOO_BIG, variables={"icmpcnt": 1}),
            Step(Ether() / IP() / UDP() / Raw(bytes(558)), PASS, variables={"icmpcnt": 1}),
            Step(Ether() / IPv6() / Raw(bytes(600)), PASS),
        ),
    ),
    Story(
        "meta_mark",
        (
            Step(PING, PASS, marked(1), variables={"marks": 1, "bad_room": 1}),
            Step(PING, PASS, marked(2), variables={"marks": 2, "bad_room": 2}),
        ),
    ),
    Story(
        "global_functions",
        (
            Step(PING, PASS),
            Step(Ether() / IP(chksum=0xDEAD), DROP),
            Step(frame(PING)[:33], DROP),
            Step(Ether() / IP(options=[IPOption_NOP()]), ABORTED),
            Step(UDP6, PASS),
        ),
    ),
    Story(
        "frags_tail",
        (
            Step(MARKED, PASS, variables={"length": 35}),
            Step(Ether() / IP() / Raw(bytes(3000) + b"\xff"), DROP, variables={"length": 3035}),
        ),
    ),
    Story("frags_tail", (Step(MARKED, DROP),), constants={"stop": ord("x")}),
    Story("printk_ports", (Step(UDP4, PASS), Step(UDP6, PASS))),
]
