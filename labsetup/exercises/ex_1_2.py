"""A verdict may depend on the packet; the simplest thing to know of one is its length."""

from ..packets import ICMP, IP, Ether, Raw
from . import Wrong, equal

TITLE = "Too long"
TEXT = """
`ctx->data` and `ctx->data_end` say where the frame begins and where it ends in memory, so
`ctx->data_end - ctx->data` is its length in bytes.

**Drop every frame that is longer than 100 bytes**, and let the others pass. An `if` does it, as in
any C.
"""
NAME = "short_only"
STARTER = """#include "xdp.h"

int short_only(struct xdp_md *ctx)
{
	/* your code */
	return XDP_PASS;
}
"""
STARTER_SAYS = "none of them is dropped"
HINTS = (
    "Two verdicts, and a condition that chooses between them.",
    "Put the difference of the two into a variable first: u32 length = ...;",
    "if (length > 100) and then a return, before the one that is there.",
)
SOLUTION = """#include "xdp.h"

int short_only(struct xdp_md *ctx)
{
	u32 length = ctx->data_end - ctx->data;

	if (length > 100)
		return XDP_DROP;
	return XDP_PASS;
}
"""
COMPARE = (
    "Where does yours compare: > 100, >= 101, or <= 100 the other way round? All are the same."
)
NEXT = (
    "Attach it, and find the largest ping that gets through: net.client.ping(net.server, size=…). "
    "Why is it not 100?"
)

NEAR_MISSES = {
    "100 itself as well": ([("> 100", ">= 100")], "Is 100 longer"),
    "one too many": ([("> 100", "> 101")], "first length that is too long"),
    "the other way round": ([("> 100", "<= 100")], "the other way round"),
    "without the Ethernet header": (
        [("ctx->data_end - ctx->data;", "ctx->data_end - ctx->data - 14;")],
        "14 bytes included",
    ),
    "only the payload of a ping": (
        [("ctx->data_end - ctx->data;", "ctx->data_end - ctx->data - 42;")],
        "all headers included",
    ),
    "where it ends, not how long it is": (
        [("ctx->data_end - ctx->data;", "ctx->data_end;")],
        "a place in memory",
    ),
    "all, whatever their length": (
        [
            (
                "	if (length > 100)\n		return XDP_DROP;\n	return XDP_PASS",
                "	return XDP_DROP",
            )
        ],
        "all of them are dropped",
    ),
    "longer than nearly nothing": ([("> 100", "> 10")], "Which frames does your program let pass"),
}
ALTERNATIVES = {
    "in one line": """#include "xdp.h"

int short_only(struct xdp_md *ctx)
{
	return ctx->data_end - ctx->data <= 100 ? XDP_PASS : XDP_DROP;
}
""",
    "with pointers": """#include "xdp.h"

int any_name(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	if (data + 101 <= data_end)
		return XDP_DROP;
	return XDP_PASS;
}
""",
}


THOUGHTS = {
    100: "Is 100 longer than 100?",
    102: "Which is the first length that is too long?",
    115: "The length counts from the Ethernet header on, its 14 bytes included.",
    143: "The length counts from the Ethernet header on, all headers included.",
}


def check(program):
    def verdict(size):
        return program.run(Ether() / IP() / ICMP() / Raw(bytes(size - 42))).verdict

    sent, expected = "pings in frames of 60 to 1,400 bytes", "the first that is dropped has 101"
    sizes = (*range(60, 200), 1400)
    dropped = [size for size in sizes if verdict(size) == "XDP_DROP"]
    if not dropped:
        raise Wrong(
            sent, expected, "none of them is dropped", "What do you compare, and with what?"
        )
    if len(dropped) == len(sizes):
        raise Wrong(sent, expected, "all of them are dropped, the shortest, too",
                    "Which frames does your program let pass? And if it compares, is what it "
                    "compares a length, or a place in memory?")  # fmt: skip
    if dropped[0] == 60 and verdict(1400) != "XDP_DROP":
        raise Wrong(sent, expected, "short ones are dropped, long ones are not",
                    "It seems to be the other way round.")  # fmt: skip
    think = THOUGHTS.get(dropped[0], "Which is the first length that is too long?")
    equal(sent, "the first that is dropped has", 101, dropped[0], think)
    equal(sent, "the longest gets", "XDP_DROP", verdict(1400), "Too long is too long.")
    equal(sent, "the shortest gets", "XDP_PASS", verdict(60), "The others may go on to the stack.")
