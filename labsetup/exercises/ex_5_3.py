"""A device map: which way out depends on the packet."""

import struct
import time

from ..hosts import Network
from ..packets import ARP, ICMP, IP, Ether, frame, send
from ..program import Program
from . import PASS, REDIRECT, TX, Wrong, expect

TITLE = "A way out for each VLAN"
TEXT = """
Frames with a VLAN tag are for different machines. **Send each out at the interface that `ports`
has under its VLAN's number**, unchanged. A frame without a tag goes on to the stack, and so does
one of a VLAN that `ports` does not know.

A tag follows the Ethernet header where `h_proto` is `ETH_P_8021Q`: `struct vlan_tag` in
`headers.h`. The lower 12 bits of its `number` are the VLAN's; those above are a priority.
"""
NAME = "by_vlan"
STARTER = """#include "headers.h"

BPF_DEVMAP(ports, 4096); /* by the number of a VLAN */

int by_vlan(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;

	/* your code */
	return XDP_PASS;
}
"""
STARTER_SAYS = "of VLAN 10"
HINTS = (
    "A header behind Ethernet, as in lesson 02: ask for its EtherType, set the pointer, compare "
    "with data_end. Then it is one number, and one call.",
    "The number travels in network byte order. First turn it round, then take its lower 12 bits: "
    "& 0xfff.",
    "redirect calls ports.redirect_map(place, XDP_PASS), which gives the verdict: XDP_REDIRECT, "
    "or XDP_PASS where nothing is in that place.",
)
SOLUTION = STARTER.replace(
    "	/* your code */\n	return XDP_PASS;\n",
    """	if (eth->h_proto != htons(ETH_P_8021Q))
		return XDP_PASS;

	struct vlan_tag *tag = (void *)(eth + 1);
	if ((void *)(tag + 1) > data_end)
		return XDP_PASS;
	return ports.redirect_map(ntohs(tag->number) & 0xfff, XDP_PASS);
""",
)
COMPARE = (
    "What becomes of a VLAN that is not in ports: does yours ask, or does it let redirect_map "
    "say the verdict?"
)
NEXT = (
    "A machine at the end may know nothing of VLANs. bpf_xdp_adjust_head(ctx, 4) takes four bytes "
    "off the front. Which bytes have to move first?"
)

NUMBER = "ntohs(tag->number) & 0xfff"
CALL = f"return ports.redirect_map({NUMBER}, XDP_PASS);"
ASK = """	if (eth->h_proto != htons(ETH_P_8021Q))
		return XDP_PASS;
"""
NEAR_MISSES = {
    "the priority taken for a part of it": ([(NUMBER, "ntohs(tag->number)")], "with a priority"),
    "host byte order": ([(NUMBER, "tag->number & 0xfff")], "2560 is 10"),
    "masked, and then turned round": (
        [(NUMBER, "ntohs(tag->number & 0xfff)")], "byte order is it when you mask it",
    ),
    "its lower byte only": ([("0xfff", "0xff")], "522 is 512"),
    "its lower 10 bits": ([("0xfff", "0x3ff")], "1034 is 1024"),
    "its lower 11 bits": ([("0xfff", "0x7ff")], "2058 is 2048"),
    "a bit of the priority as well": ([("0xfff", "0x1fff")], "and the bit 0x1000"),
    "one bit forgotten": ([("0xfff", "0xffe")], "11 is 10 + 1"),
    "no VLAN but 10": (
        [(CALL, f"if (({NUMBER}) == 10)\n		return ports.redirect_map(10, XDP_PASS);\n"
          "	return XDP_PASS;")],
        "For which numbers does your program look there",
    ),
    "more asked for than a tag": (
        [("(void *)(tag + 1) >", "(void *)(tag + 1) + sizeof(struct iphdr) >")],
        "How many bytes does your comparison ask for",
    ),
    "back, not out": (
        [(CALL, f"if (ports.redirect_map({NUMBER}, XDP_PASS) == XDP_REDIRECT)\n"
          "		return XDP_TX;\n	return XDP_PASS;")],
        "Where does a frame with XDP_TX leave",
    ),
    "the field behind it": ([("tag->number", "tag->type")], "of VLAN 10 "),
    "no question for a tag": ([(ASK, "")], "without a tag"),
    "strangers end with an error": ([("0xfff, XDP_PASS", "0xfff, 0")], "VLAN 99"),
    "its verdict not returned": (
        [(CALL, f"ports.redirect_map({NUMBER}, XDP_PASS);\n	return XDP_PASS;")],
        "what becomes of the verdict",
    ),
    "strangers redirected, too": (
        [(CALL, f"ports.redirect_map({NUMBER}, XDP_PASS);\n	return XDP_REDIRECT;")], "VLAN 99",
    ),
    "the VLAN taken for an interface": (
        [(CALL, f"int number = {NUMBER};\n	if (number != 10 && number != 266 && number != 4000)\n"
          "		return XDP_PASS;\n	return bpf_redirect(number, 0);")],
        "0 come out",
    ),
    "all to one": (
        [(CALL, f"if (ports.redirect_map({NUMBER}, XDP_PASS) != XDP_REDIRECT)\n"
          "		return XDP_PASS;\n	return ports.redirect_map(10, XDP_PASS);")],
        "middle eth2 0",
    ),
    "not compared with data_end": (
        [("	if ((void *)(tag + 1) > data_end)\n		return XDP_PASS;\n", "")],
        "the verifier refused",
    ),
    "too few places": ([("4096", "64")], "ports[266]"),
    "half the places": ([("4096", "2048")], "ports[4000]"),
}  # fmt: skip
ALTERNATIVES = {
    "byte by byte": """BPF_DEVMAP(ports, 4096);

int other(struct xdp_md *ctx)
{
	unsigned char *byte = (void *)(long)ctx->data;

	if ((void *)(byte + 18) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	if (byte[12] != 0x81 || byte[13] != 0)
		return XDP_PASS;
	return ports.redirect_map((byte[14] & 15) << 8 | byte[15], XDP_PASS);
}
""",
    "the verdict asked for": [
        (CALL, f"if (ports.redirect_map({NUMBER}, XDP_DROP) != XDP_REDIRECT)\n"
         "		return XDP_PASS;\n	return XDP_REDIRECT;")
    ],
    "divided, not masked": [(NUMBER, "ntohs(tag->number) % 4096")],
}  # fmt: skip


def tagged(vlan, above=0, behind=b"experiment, and enough of it to fill a header or two"):
    """A frame with a tag; above: the bits of its number that are none of the VLAN's."""
    return Ether(type=0x8100) / (struct.pack("!2H", above | vlan, 0x88B5) + behind)


def stranger(bit):
    """A VLAN whose number has one bit more than 10."""
    number, (more, less) = 10 + bit, sorted((10, bit), reverse=True)
    return (f"a frame of VLAN {number}, which ports does not know", tagged(number), PASS,
            f"{number} is {more} + {less}. {TWELVE}")  # fmt: skip


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
PLAIN = frame(Ether() / IP(src="192.0.0.10", dst="192.0.2.2") / ICMP())

CASES = [
    ("a ping without a tag", PLAIN, PASS, UNTAGGED),
    ("a frame without a tag that has a 10 in the place of one",
     Ether(type=0x88B5) / b"\0\x0a\x88\xb5experiment", PASS, UNTAGGED),
    ("ARP", ARP(), PASS, UNTAGGED),
    ("a frame of VLAN 99, which ports does not know", tagged(99), PASS, UNKNOWN),
    ("a frame of VLAN 2560, which ports does not know", tagged(2560), PASS, SWAPPED),
    ("a frame of VLAN 10", tagged(10), REDIRECT, NUMBERS),
    ("a frame of VLAN 10 that ends behind its tag", tagged(10, behind=b""), REDIRECT, WHOLE),
    *(stranger(bit) for bit in (512, 1024, 2048)),
    ("a frame of VLAN 266", tagged(266), REDIRECT, OTHERS),
    ("a frame of VLAN 10 with a priority of 5", tagged(10, 0xA000), REDIRECT, PRIORITY),
    *((f"a frame of VLAN 10, and the bit {bit:#06x} above its number", tagged(10, bit), REDIRECT,
       PRIORITY) for bit in (0x1000, 0x2000, 0x4000, 0x8000)),
    ("a frame of VLAN 4000", tagged(4000), REDIRECT, OTHERS),
    *(stranger(bit) for bit in (128, 64, 32, 16, 4, 1)),
    ("a frame that ends within its tag", frame(tagged(10))[:16], PASS,
     "Half a tag has no number: leave it to the stack."),
]  # fmt: skip
EACH = 5


def come_out(net, packet, ways):
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


def check(program):
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


def _shown(ways, counts):
    pairs = zip(ways.values(), counts, strict=True)
    return f"{sum(counts)} come out: " + ", ".join(f"middle {way.name} {n}" for way, n in pairs)
