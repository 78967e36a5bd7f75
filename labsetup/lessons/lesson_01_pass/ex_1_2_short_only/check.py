"""A verdict may depend on the packet; the simplest thing to know of one is its length.

A frame of each length from 14 to 1,514 bytes is run, and some of jumbo frames. The first length
that is dropped tells which mistake it is; if it is the right one, each length is looked at.
"""

from __future__ import annotations

from labsetup import Ether, Program
from labsetup.packets.craft import frame
from labsetup.practice.checking import DROP, PASS, Wrong, equal

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


def check(program: Program) -> None:
    whole = frame(Ether(type=0x88B5) / bytes(3000))
    verdicts = {size: program.run(whole[:size]).verdict for size in range(60, 1515)}
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
        raise Wrong(
            sent,
            expected,
            "short ones are dropped, long ones are not",
            "It seems to be the other way round.",
        )
    think = THOUGHTS.get(dropped[0], "Which is the first length that is too long?")
    if len(dropped) == 1:
        think = f"{THOUGHTS.get(dropped[0], '')} And what of those that are longer still?".strip()
        expected = "frames of 101 bytes and more are dropped"
        raise Wrong(sent, expected, f"only the one of {dropped[0]} bytes is dropped", think)
    equal(sent, "the first that is dropped has", 101, dropped[0], think)
    others = [*range(14, 60), 1515, 1600, 2047, 2048, 3000]
    verdicts |= {size: program.run(whole[:size]).verdict for size in others}
    for size, verdict in verdicts.items():
        wanted, think = (DROP, WIDTH) if size > 100 else (PASS, "The others may go on.")
        equal(f"a frame of {size} bytes", "verdict", wanted, verdict, think)
