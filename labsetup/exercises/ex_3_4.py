"""A decision that depends on the packets before."""

from ..hosts import cpus
from ..packets import ARP, ICMP, IP, TCP, Ether, frame
from . import PASS, Wrong, at_once, expect

TITLE = "Every second ping"
TEXT = """
A bad wire, for tests: **drop every second ICMP packet**. The first passes, the second is dropped,
the third passes, and so on, on whatever CPU each arrives. Other packets pass and do not count.

A map remembers how many there were. Note its kind in the starter. Why is it not the one of
`icmp_count`?
"""
NAME = "bad_wire"
STARTER = """#include "xdp.h"

BPF_ARRAY(seen, u64, 1); /* one for all CPUs */

int bad_wire(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;
	if (eth->h_proto != htons(ETH_P_IP))
		return XDP_PASS;

	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > data_end)
		return XDP_PASS;
	if (ip->protocol != IPPROTO_ICMP)
		return XDP_PASS;

	/* your code */
	return XDP_PASS;
}
"""
STARTER_SAYS = "pass, pass"
HINTS = (
    "Count as icmp_count does. What is true of the count at every second packet?",
    "The count may be odd or even: *count & 1, or *count % 2. Do you ask before adding, or after?",
    "Look up, check, and u64 before = __sync_fetch_and_add(count, 1); which is the count from "
    "before the addition. If it was odd, XDP_DROP.",
)
SOLUTION = STARTER.replace(
    "	/* your code */\n",
    """	int key = 0;
	u64 *count = seen.lookup(&key);
	if (!count)
		return XDP_PASS;

	u64 before = __sync_fetch_and_add(count, 1); /* no two packets get the same */
	if (before % 2 == 1)
		return XDP_DROP;
""",
)
COMPARE = (
    "Does yours add atomically, and look at *count after that? Another CPU may have added in "
    "between. What the atomic addition returns belongs to this packet alone."
)
NEXT = (
    "Does yours decide by *count, before or after an atomic addition? Another CPU may come in "
    "between: what the addition returns is this packet's own. Then attach it and send ten pings. "
    "Which of them are answered? At the end "
    "counter.attach(net.server.eth0) puts the lesson's own counter in its place."
)

ADD = "__sync_fetch_and_add(count, 1); /* no two packets get the same */"

NEAR_MISSES = {
    "the first dropped, not the second": ([("% 2 == 1", "% 2 == 0")], "the one that is to pass"),
    "asked first, and added only where it passes": (
        [
            (
                f"u64 before = {ADD}\n	if (before % 2 == 1)\n		return XDP_DROP;",
                "if (*count % 2 == 1)\n		return XDP_DROP;\n	*count += 1;",
            )
        ],
        "does it stand still",
    ),
    "the same, with the other half": (
        [
            (
                f"u64 before = {ADD}\n	if (before % 2 == 1)\n		return XDP_DROP;",
                "if (*count % 2 == 0)\n		return XDP_DROP;\n	*count += 1;",
            )
        ],
        "does it stand still",
    ),
    "added only where it is dropped": (
        [
            (
                f"u64 before = {ADD}\n	if (before % 2 == 1)\n		return XDP_DROP;",
                "if (*count % 2 == 0)\n		return XDP_PASS;\n	*count += 1;\n	return XDP_DROP;",
            )
        ],
        "is the addition reached",
    ),
    "all but the first": ([("before % 2 == 1", "before > 0")], "odd or even"),
    "every third": ([("% 2", "% 3")], "every second"),
    "a count that is not kept": (
        [(ADD, "*count;")],
        "pass, pass, pass",
    ),
    "another element": ([("int key = 0", "int key = ip->protocol")], "With which key"),
    "added to the pointer": (
        [(f"u64 before = {ADD}", "u64 before = *count; count += 1;")],
        "to the pointer, or to what",
    ),
    "other packets counted": (
        [
            ("	if (ip->protocol != IPPROTO_ICMP)\n		return XDP_PASS;\n", ""),
            ("	if (before %", "	if (ip->protocol == IPPROTO_ICMP && before %"),
        ],
        "do not count",
    ),
    "other packets dropped": (
        [("	if (ip->protocol != IPPROTO_ICMP)\n		return XDP_PASS;\n", "")],
        "Only ICMP",
    ),
}
LATE = [("before % 2 == 1", "before > 0 && before % 2 == 0")]
NEAR_MISSES["begun one too late"] = (LATE, "which is the first that is dropped")
if len(cpus()) > 1:  # with one CPU there is no difference
    NEAR_MISSES |= {
        "a count for each CPU": ([("BPF_ARRAY", "BPF_PERCPU_ARRAY")], "each CPU"),
        "three steps": (
            [(f"	u64 before = {ADD}\n	if (before % 2 == 1)",
              "	*count += 1;\n	if (*count % 2 == 0)")],
            "two CPUs at once",
        ),
        "a switch that is turned": (
            [(f"	u64 before = {ADD}\n	if (before % 2 == 1)",
              "	*count = !*count;\n	if (!*count)")],
            "two CPUs at once",
        ),
    }  # fmt: skip
ALTERNATIVES = {
    "asked at once": [
        (f"	u64 before = {ADD}\n	if (before % 2 == 1)",
         "	if (__sync_fetch_and_add(count, 1) & 1)")
    ],
    "a switch that is turned in one step": [
        (f"	u64 before = {ADD}\n	if (before % 2 == 1)",
         "	if (__sync_fetch_and_xor(count, 1))")
    ],
    "a hash instead of an array": [
        ("BPF_ARRAY(seen, u64, 1)", "BPF_HASH(seen, int, u64)"),
        ("u64 *count = seen.lookup(&key);", "u64 none = 0, *count;\n"
         "	count = seen.lookup_or_try_init(&key, &none);"),
    ],
}  # fmt: skip

PING = IP() / ICMP()
STILL = (
    "Is the count odd or even? Or does it stand still from then on: is the addition reached when a "
    "packet is dropped? What stands behind a return is not done."
)
LATE_ONE = "Every second one it is, but which is the first that is dropped?"
AT_ONCE = (
    "When two CPUs at once read the count, both see the same, and one addition is lost. Which "
    "addition is done in one step, and what does it return?"
)
EXPECTED = "pass, drop, pass, drop, pass, drop"


def check(program):
    def verdicts(sequence):
        names = [program.run(PING, cpus=[cpu]).verdict for cpu in sequence]
        return ", ".join(name.removeprefix("XDP_").lower() for name in names)

    first, last = cpus()[0], cpus()[-1]
    found = verdicts([first] * 6)
    thoughts = {
        "pass, pass, pass, pass, pass, pass": "Does the map remember? Look at the count "
        "in it after a few packets. With which key do you look it up? And to what do "
        "you add: to the pointer, or to what it points to? And is the addition reached, and the "
        "count written once for each packet?",
        "drop, pass, drop, pass, drop, pass": "Which number does the first packet see, 0 or 1? "
        "It is the one that is to pass.",
        "pass, drop, drop, drop, drop, drop": STILL,
        "drop, drop, drop, drop, drop, drop": f"All are dropped. What decides? {STILL}",
        "pass, pass, drop, pass, drop, pass": LATE_ONE,
    }
    think = thoughts.get(found, "It is to be every second one.")
    if found != EXPECTED:
        raise Wrong("six pings", EXPECTED, found, think)
    found = verdicts([first, last, last, first, last, first])
    if found != EXPECTED:
        raise Wrong("six pings on two CPUs in turn", EXPECTED, found,
                    "It seems that each CPU counts for itself. Is that wanted here?")  # fmt: skip
    for packet in (ARP(), IP() / TCP(), Ether(type=0x88B5) / frame(PING)[14:]):
        for _ in range(3):
            expect(program, "a packet that is no ICMP", packet, PASS, "Only ICMP is dropped.")
        found = verdicts([first, first])
        if found != "pass, drop":
            raise Wrong("two pings, after three packets that are no ICMP", "pass, drop",
                        found, "Others pass, and do not count.")  # fmt: skip
    for _ in range(16):  # what loses additions is even by luck in half of the rounds
        sent, _ = at_once(program, "a ping", PING)
        found = verdicts([first, first])
        if found != "pass, drop":
            raise Wrong(f"{sent}, and then two more", "pass, drop", found, AT_ONCE)
