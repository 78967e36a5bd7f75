"""A walk through the payload, whose length is only known on the way."""

import struct

from ..packets import IP, UDP, IPv6
from . import DROP, PASS, expect_each

TITLE = "Tell me everything"
TEXT = """
A DNS question of type ANY, 255, is short, and the answer may be very long: attackers like that.
**Drop DNS questions of type 255**, whatever name they ask for, and let all else go on.

The type has two bytes and stands right behind the name: `\\3bad\\7example\\0`, then `\\0\\377`. The
starter brings you to the first byte of the name. Names of up to 63 bytes are enough;
`\\3bad\\7example` has 12. The verifier wants a loop with a fixed number of turns.
"""
NAME = "not_any"
STARTER = """#include "parse.h"

struct dnshdr {
	__be16 id, flags, questions, answers, authorities, additionals;
};

int not_any(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	if (!pkt.l4 || pkt.protocol != IPPROTO_UDP)
		return XDP_PASS;

	struct udphdr *udp = pkt.l4;
	struct dnshdr *dns = (void *)(udp + 1);
	u8 *byte = (void *)(dns + 1);
	if ((void *)byte > pkt.end || udp->dest != htons(53))
		return XDP_PASS;
	if (dns->flags & htons(0x8000))
		return XDP_PASS;

	/* your code */
	return XDP_PASS;
}
"""
STARTER_SAYS = "type 255"
HINTS = (
    "The name ends with a byte of 0. dns_block has a loop that walks up to it: what of it do you "
    "need, and what not?",
    "In each turn: barrier_var(byte), the comparison with pkt.end, a look at *byte, and on to the "
    "next. When it is 0, two more bytes have to be there.",
    "At the 0: compare byte + 3 with pkt.end. Then byte[1] is the first byte of the type, and "
    "byte[2] the second. Both count.",
)
SOLUTION = STARTER.replace(
    "	/* your code */\n",
    """	for (int i = 0; i < 64; i++, byte++) {
		barrier_var(byte); /* keeps the comparison below inside the loop */
		if ((void *)(byte + 3) > pkt.end)
			return XDP_PASS;
		if (*byte == 0)
			return byte[1] == 0 && byte[2] == 255 ? XDP_DROP : XDP_PASS;
	}
""",
)
COMPARE = (
    "Byte by byte, or label by label: which takes fewer turns, and which bound does each loop need?"
)
NEXT = (
    "Measure it, as above: run(…, repeat=200_000).ns for a name of 3 bytes and for one of 60. "
    "What does a byte cost? Then attach it, and ask('good.example', 'ANY +notcp'): without +notcp "
    "dig asks ANY over TCP."
)

TYPE = "byte[1] == 0 && byte[2] == 255"
IN_TURN = "		if ((void *)(byte + 3) > pkt.end)\n			return XDP_PASS;\n"
AT_END = "		if (*byte == 0)\n"
NEAR_MISSES = {
    "the end of the name counted in": ([(TYPE, "byte[0] == 0 && byte[1] == 255")], "type 65280"),
    "half of the type": ([(TYPE, "byte[2] == 255")], "type 511"),
    "the end written, not asked for": (
        [("(*byte == 0)", "(*byte = 0)")], "using the result of an assignment",
    ),
    "the same, and clang told to be silent": (
        [("(*byte == 0)", "((*byte = 0))")], "with = where == is meant",
    ),
    "the other half": ([(TYPE, "byte[1] == 255 && byte[2] == 0")], "type 65280"),
    "any 255 in the question": (
        [(AT_END, "		if (*byte == 255)\n			return XDP_DROP;\n" + AT_END)],
        "That 255 is in the name",
    ),
    "the class, not the type": (
        [(TYPE, "byte[4] == 255"), ("byte + 3", "byte + 5")], "class 255",
    ),
    "a loop too short": ([("i < 64", "i < 32")], "a name of 40 bytes"),
    "a name of one size": (
        [("i++, byte++) {", "i++) {\n		byte += 12; /* example.org */\n")], "the name www",
    ),
    "one byte short": (
        [("byte + 3)", "byte + 2)")], "the verifier refused",
    ),
    "the comparison in front of the loop only": (
        [("		if ((void *)(byte + 3) > pkt.end)\n			return XDP_PASS;\n", ""),
         ("	for (int", "	if ((void *)(byte + 3) > pkt.end)\n		return XDP_PASS;\n	for (int")],
        "the verifier refused",
    ),
    "all bytes proved in front of the loop": (
        [(IN_TURN, ""), ("	for (int", IN_TURN.replace("byte + 3", "byte + 67") + "	for (int")],
        "How many bytes does your comparison ask for",
    ),
    "only the flags that were seen once": (
        [("	for (int", "	if (dns->flags != htons(0x0100))\n		return XDP_PASS;\n	for (int")],
        "Which bit of the flags tells a question",
    ),
    "the character 0": ([("(*byte == 0)", "(*byte == '0')")], "is a character"),
    "the pointer compared": ([("(*byte == 0)", "(byte == 0)")], "the verifier refused"),
    "one byte too strict": ([("byte + 3)", "byte + 6)")], "ask for more"),
}  # fmt: skip
ALTERNATIVES = {
    "label by label": [
        (
            """i < 64; i++, byte++) {
		barrier_var(byte); /* keeps the comparison below inside the loop */
""",
            """i < 33; i++, byte += 1 + (*byte & 63)) {
		barrier_var(byte);
""",
        )
    ],
    "the two bytes as one number": [
        (TYPE, "*(__be16 *)(byte + 1) == htons(255)"),
    ],
    "a loop that finds the end, and then the type": [
        (
            "			return byte[1] == 0 && byte[2] == 255 ? XDP_DROP : XDP_PASS;\n	}\n",
            """			break;
	}
	if ((void *)(byte + 3) > pkt.end || *byte)
		return XDP_PASS;
	if (byte[1] == 0 && byte[2] == 255)
		return XDP_DROP;
""",
        )
    ],
}


def asked(name, kind, group=1, more=b"", port=53, flags=0x0100):
    """A DNS question over UDP, its name and what follows as in the packet."""
    head = struct.pack("!6H", 1, flags, 1, 0, 0, int(bool(more)))
    behind = struct.pack("!2H", kind, group) if kind else b""
    return UDP(sport=4242, dport=port) / (head + name + behind + more)


GOOD = b"\7example\3org\0"
LONG = b"\47" + b"n" * 39 + b"\0"
LONGEST = b"\76" + b"n" * 62 + b"\0"
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

CASES = [
    ("a question of type 1, A", IP() / asked(GOOD, 1), PASS, ONLY),
    ("a question of type 511", IP() / asked(GOOD, 511), PASS, HALF),
    ("a question of type 65280", IP() / asked(GOOD, 65280), PASS, SWAPPED),
    ("a question with a 255 in its name", IP() / asked(HIGH, 1), PASS, IN_NAME),
    ("a question of type 65281, for the name ab0", IP() / asked(b"\3ab0\0", 65281), PASS,
     CHARACTER),
    ("a question with class 255", IP() / asked(GOOD, 1, group=255), PASS,
     "255 is its class, not its type."),
    ("a question of type 255, as dig asks", IP() / asked(GOOD, 255, more=MORE), DROP, WHERE),
    ("a question of type 255 and nothing behind it", IP() / asked(GOOD, 255), DROP, ROOM),
    ("type 255, for the name www.example.org", IP() / asked(b"\3www" + GOOD, 255), DROP, WHERE),
    ("type 255, for a name of 40 bytes", IP() / asked(LONG, 255), DROP, TURNS),
    ("type 255, for a name of 63 bytes", IP() / asked(LONGEST, 255), DROP, TURNS),
    ("type 255, for a name of 31 labels", IP() / asked(b"\1a" * 31 + b"\0", 255), DROP, TURNS),
    ("a question of type 256 and class 255", IP() / asked(GOOD, 256, group=255), PASS,
     "The name ended before. Does the search end there, too?"),
    ("type 255, for the root of all names", IP() / asked(b"\0", 255), DROP, "Its name is empty."),
    *((f"type 255, its flags {flags:#06x}", IP() / asked(GOOD, 255, flags=flags), DROP, FLAGS)
      for flags in (0x0120, 0x0000, 0x0110)),
    ("type 255, over IPv6", IPv6() / asked(GOOD, 255), DROP, "Over IPv6, too."),
    ("type 255, to another port", IP() / asked(GOOD, 255, port=80), PASS, "It is no DNS."),
    ("an answer of type 255", IP() / asked(GOOD, 255, flags=0x8180), PASS, "It is an answer."),
    ("a question cut off behind its name", IP() / asked(GOOD, 0), PASS,
     "Its type is not there: leave it to the stack."),
]  # fmt: skip


def check(program):
    expect_each(program, CASES)
