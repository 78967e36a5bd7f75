"""One word changes the fate of every packet."""

from ..packets import ARP, ICMP, IP, TCP, Ether, IPv6
from . import expect

TITLE = "Closed"
TEXT = """
A cell that begins with `%%xdp NAME` is C. With `--check 1.1` behind it, the program is also tried
on packets, as soon as the kernel has accepted it. This one lets everything pass.

**Make every packet end here**, as a decision and not as a failure. The table of verdicts above has
the word.
"""
NAME = "closed"
STARTER = """#include "xdp.h"

int closed(struct xdp_md *ctx)
{
	return XDP_PASS; /* your verdict */
}
"""
STARTER_SAYS = "XDP_PASS"
HINTS = (
    "Which lines of the table end with a packet that the stack never sees?",
    "There are two. One of them is the verdict of a program that failed.",
    "Take the other one, in the second line of the table, and change nothing else.",
)
SOLUTION = STARTER.replace("XDP_PASS; /* your verdict */", "XDP_DROP;")
COMPARE = "Is your verdict a name or a number? Which one would you want to read in a year?"
NEXT = "Put it on the wire: closed.attach(net.server.eth0), and ping. Then closed.detach()."

NEAR_MISSES = {
    "the verdict of a failure": ([("XDP_DROP", "XDP_ABORTED")], "leaves a trace"),
    "zero, for «nothing»": ([("XDP_DROP", "0")], "leaves a trace"),
    "sent back": ([("XDP_DROP", "XDP_TX")], "goes back out"),
    "sent on": ([("XDP_DROP", "XDP_REDIRECT")], "another interface"),
    "a number that is no verdict": ([("XDP_DROP", "-1")], "no verdict"),
    "a second return": ([("return XDP_DROP;", "return XDP_PASS;\n\treturn XDP_DROP;")], "XDP_PASS"),
}
ALTERNATIVES = {
    "by number": [("XDP_DROP", "1")],
    "by way of a variable": [
        ("return XDP_DROP;", "enum xdp_action verdict = XDP_DROP;\n\n\treturn verdict;")
    ],
}

THOUGHTS = {
    "XDP_PASS": "The packet still goes on to the stack. Which verdict ends it?",
    "XDP_ABORTED": "It ends, and leaves a trace: the verdict of a program that failed. (0 is its "
    "number.)",
    "XDP_TX": "It goes back out of the interface that it came in by.",
    "XDP_REDIRECT": "It would go out of another interface, and the program does not say which.",
}


def check(program):
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
