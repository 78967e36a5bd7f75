"""A verdict may depend on the packet; the simplest thing to know of one is its length."""

from ..packets import Ether, frame
from . import DROP, PASS, Wrong, equal

TITLE = "Too long"
TEXT = """
`ctx->data` and `ctx->data_end` say where the frame begins and where it ends in memory, so
`ctx->data_end - ctx->data` is its length in bytes.

**Drop every frame that is longer than 100 bytes**, and let the others pass. Take the difference
into a variable first; then an `if` does it, as in any C.
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
    "the end from the beginning": (
        [("ctx->data_end - ctx->data;", "ctx->data - ctx->data_end;")],
        "which of the two ends is the larger",
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
    "a length one byte wide": ([("u32 length", "u8 length")], "How large a number"),
    "a length one byte wide, and signed": ([("u32 length", "char length")], "How large a number"),
    "the right ones, and another verdict": ([("XDP_DROP", "XDP_ABORTED")], "Which verdict drops"),
    "as long as that": ([("> 100", "== 100")], "Is 100 longer than 100? And what of those"),
    "one more than that": ([("> 100", "== 101")], "And what of those that are longer still"),
    "in steps of an int": (
        """#include "xdp.h"

int short_only(struct xdp_md *ctx)
{
	int *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;

	if (data + 101 <= data_end)
		return XDP_DROP;
	return XDP_PASS;
}
""",
        "in steps of what it points to",
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


NONE_PASSES = (
    "Which frames does your program let pass? And if it compares: a length, or a place in memory? "
    "Of a difference, which of the two ends is the larger?"
)
THOUGHTS = {
    100: "Is 100 longer than 100?",
    102: "Which is the first length that is too long?",
    115: "The length counts from the Ethernet header on, its 14 bytes included.",
    143: "The length counts from the Ethernet header on, all headers included.",
    404: "An int * counts in steps of what it points to, four bytes each.",
}
WIDTH = "Longer ones and shorter ones are dropped. How large a number does your variable hold?"


def check(program):
    whole = frame(Ether(type=0x88B5) / bytes(1500))
    verdicts = {size: program.run(whole[:size]).verdict for size in range(60, len(whole) + 1)}
    dropped = [size for size, verdict in verdicts.items() if verdict == DROP]
    sent, expected = "frames of 60 to 1,514 bytes", "the first that is dropped has 101"
    if not dropped:
        happened, think = "none of them is dropped", "What do you compare, and with what?"
        if verdicts[60] == PASS != verdicts[1400]:
            happened = f"none of them is dropped, the long ones get {verdicts[1400]}"
            think = (
                "They are told apart. Which verdict drops a frame, and says nothing of an error?"
            )
        raise Wrong(sent, expected, happened, think)
    if len(dropped) == len(verdicts):
        raise Wrong(sent, expected, "all of them are dropped, the shortest, too", NONE_PASSES)
    if dropped[0] == 60 and verdicts[1400] != DROP:
        raise Wrong(sent, expected, "short ones are dropped, long ones are not",
                    "It seems to be the other way round.")  # fmt: skip
    think = THOUGHTS.get(dropped[0], "Which is the first length that is too long?")
    if len(dropped) == 1:
        think = f"{THOUGHTS.get(dropped[0], '')} And what of those that are longer still?".strip()
        expected = "frames of 101 bytes and more are dropped"
        raise Wrong(sent, expected, f"only the one of {dropped[0]} bytes is dropped", think)
    equal(sent, "the first that is dropped has", 101, dropped[0], think)
    for size, verdict in verdicts.items():
        wanted, think = (DROP, WIDTH) if size > 100 else (PASS, "The others may go on.")
        equal(f"a frame of {size} bytes", "verdict", wanted, verdict, think)
