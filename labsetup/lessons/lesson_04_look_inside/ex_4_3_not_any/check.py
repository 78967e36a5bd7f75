"""A walk through the payload, whose length is only known on the way.

Other types come first, each near to 255 in its way; then type 255 for longer and longer names, and
at the end what is no such question at all.
"""

from __future__ import annotations

import struct

from scapy.packet import Packet

from labsetup import IP, UDP, IPv6, Program
from labsetup.practice.checking import DROP, PASS, Case, expect_each


def asked(
    name: bytes,
    kind: int,
    group: int = 1,
    more: bytes = b"",
    port: int = 53,
    flags: int = 0x0100,
) -> Packet:
    """A DNS question over UDP, its name and what follows as in the packet."""
    head = struct.pack("!6H", 1, flags, 1, 0, 0, int(bool(more)))
    behind = struct.pack("!2H", kind, group) if kind else b""
    return UDP(sport=4242, dport=port) / (head + name + behind + more)


GOOD = b"\7example\3org\0"
LONG = b"\47" + b"n" * 39 + b"\0"
LONGEST = b"\76" + b"n" * 62 + b"\0"
AB0 = b"\3ab0\0"
HIGH = b"\4n\377nn\0"
MORE = bytes.fromhex("0000290200000000000000")  # what dig adds: EDNS, RFC 6891

ONLY = "Only type 255 is to be dropped. Which bytes does the condition look at?"
SWAPPED = "65280 is 255 with its two bytes in the other order. Where does the type begin?"
HALF = "511 is 256 + 255. How many bytes has the type?"
IN_NAME = "That 255 is in the name. Where does the name end?"
CHARACTER = "'0' is a character, the byte 48. Which number ends a name?"
WHERE = (
    "Where does the name end, and what comes right behind it? How many bytes does your comparison "
    "ask for?"
)
FLAGS = "Which bit of the flags tells a question from an answer? Only that one counts."
ROOM = "All that has to be there is there. Does a comparison ask for more?"
TURNS = "Does the loop take enough turns for this name?"
CLASS = "255 is its class, not its type."
ITS_CLASS = "Its type is 255, whatever class it is of."
ENDED = "The name ended before. Does the search end there, too?"
CUT_OFF = "Its type is not there: leave it to the stack."

CASES: list[Case] = [
    ("a question of type 1, A", IP() / asked(GOOD, 1), PASS, ONLY),
    ("a question of type 511", IP() / asked(GOOD, 511), PASS, HALF),
    ("a question of type 65280", IP() / asked(GOOD, 65280), PASS, SWAPPED),
    *(
        (f"a question of type {255 ^ 1 << bit}", IP() / asked(GOOD, 255 ^ 1 << bit), PASS, ONLY)
        for bit in range(16)
    ),
    ("a question with a 255 in its name", IP() / asked(HIGH, 1), PASS, IN_NAME),
    ("a question of type 65281, for the name ab0", IP() / asked(AB0, 65281), PASS, CHARACTER),
    ("a question with class 255", IP() / asked(GOOD, 1, group=255), PASS, CLASS),
    ("a question of type 255, as dig asks", IP() / asked(GOOD, 255, more=MORE), DROP, WHERE),
    ("a question of type 255 and nothing behind it", IP() / asked(GOOD, 255), DROP, ROOM),
    ("type 255, for the name www.example.org", IP() / asked(b"\3www" + GOOD, 255), DROP, WHERE),
    ("type 255, for a name of 40 bytes", IP() / asked(LONG, 255), DROP, TURNS),
    ("type 255, for a name of 63 bytes", IP() / asked(LONGEST, 255), DROP, TURNS),
    ("type 255, for a name of 31 labels", IP() / asked(b"\1a" * 31 + b"\0", 255), DROP, TURNS),
    ("a question of type 256 and class 255", IP() / asked(GOOD, 256, group=255), PASS, ENDED),
    ("type 255, for the root of all names", IP() / asked(b"\0", 255), DROP, "Its name is empty."),
    *(
        (f"type 255, its flags {flags:#06x}", IP() / asked(GOOD, 255, flags=flags), DROP, FLAGS)
        for flags in (0x0120, 0x0000, 0x0110)
    ),
    ("type 255, of class 3", IP() / asked(GOOD, 255, group=3), DROP, ITS_CLASS),
    ("type 255, over IPv6", IPv6() / asked(GOOD, 255), DROP, "Over IPv6, too."),
    ("type 255, to another port", IP() / asked(GOOD, 255, port=80), PASS, "It is no DNS."),
    ("an answer of type 255", IP() / asked(GOOD, 255, flags=0x8180), PASS, "It is an answer."),
    ("a question cut off behind its name", IP() / asked(GOOD, 0), PASS, CUT_OFF),
]


def check(program: Program) -> None:
    expect_each(program, CASES)
