"""Every CPU counts for itself; whoever reads has to add."""

from contextlib import suppress
from numbers import Number

from ..maps import PerCPU
from . import Wrong, equal

TITLE = "All of them"
TEXT = """
A per-CPU map of packets by protocol reads like a dict from Python: `{1: copies, 17: copies}`, with
the protocol's number as the key and, as its value, one number for each CPU.

**Return how many packets there were altogether**, of all protocols and on all CPUs. The check hands
your function such maps, made up, of machines with more CPUs and fewer.
"""
NAME = "packets"
STARTER = """def packets(counters):
    total = 0
    for copies in counters.values():
        total += copies[0]  # your code
    return total


check("3.2")
"""
STARTER_SAYS = "only one CPU"
HINTS = (
    "The colleague's monitor makes the same mistake: which copies does it never read?",
    "Two loops, one in the other: over the protocols, and over the copies of each.",
    "Python adds up what it is given: sum(copies). A value of the lab's maps has .sum as well.",
)
SOLUTION = """def packets(counters):
    total = 0
    for copies in counters.values():
        for copy in copies:
            total += copy
    return total
"""
COMPARE = "Yours may be shorter, with sum(). Does it give 0 for a map without entries?"
NEXT = (
    "Which CPU worked hardest? Write that one, too, and try it on counter['icmp_packets'] after a "
    "ping from each CPU. (If another program has taken counter's place meanwhile: "
    "counter.attach(net.server.eth0) first.)"
)

NEAR_MISSES = {
    "the first CPU only": (STARTER, "only one CPU"),
    "the last CPU only": (STARTER.replace("copies[0]", "copies[-1]"), "only one CPU"),
    "the busiest CPU only": (STARTER.replace("copies[0]", "max(copies)"), "only one CPU"),
    "two CPUs, as here": (STARTER.replace("copies[0]", "copies[0] + copies[1]"), "how many CPUs"),
    "four CPUs, as here": (
        STARTER.replace("copies[0]", "sum(copies[cpu] for cpu in range(4))"), "how many CPUs",
    ),
    "eight CPUs, as here": (
        STARTER.replace("copies[0]", "sum(copies[cpu] for cpu in range(8))"), "how many CPUs",
    ),
    "eight CPUs, where there are as many": (
        STARTER.replace("copies[0]", "sum(copies[:8])"), "how many CPUs",
    ),
    "a word for a number": (
        [("return total", "return str(total)")], "packets() gives '9' think That is a str",
    ),
    "the last protocol only": (
        STARTER.replace("total += copies[0]", "total = sum(copies)"), "every protocol",
    ),
    "the first protocol only": (
        [("            total += copy\n", "            total += copy\n        return total\n")],
        "every protocol",
    ),
    "entries, not packets": ("def packets(counters):\n    return len(counters)\n", "entries"),
    "copies, not packets": (
        [("total += copy", "total += 1")],
        "what is in them",
    ),
    "keys, not values": (
        "def packets(counters):\n    return sum(counters)\n",
        "keys",
    ),
    "no return": ([("    return total\n", "    print(total)\n")], "return"),
    "keys for copies": (
        [("counters.values()", "counters")],
        "TypeError in line 4, «for copy in copies:»: 'int' object is not iterable",
    ),
    "keys for copies, by index": (
        STARTER.replace("counters.values()", "counters"), "What does a loop over a dict",
    ),
    "keys for pairs": (
        "def packets(counters):\n    return sum(sum(copies) for key, copies in counters)\n",
        "What does a loop over a dict",
    ),
    "keys for the lab's values": (
        STARTER.replace(".values()", "").replace("copies[0]", "copies.sum"),
        "What does a loop over a dict",
    ),
    "copies for pairs": (
        "def packets(counters):\n    return sum(sum(row) for key, row in counters.values())\n",
        "How many numbers does it hold",
    ),
    "values not called": ([("counters.values()", "counters.values")], "nobody has called"),
    "a number called": (STARTER.replace("copies[0]", "copies.sum()"), "in front of the ("),
    "a number under the name of sum": (
        f"sum = 0\n\n\n{STARTER.replace('copies[0]', 'sum(copies)')}", "in front of the (",
    ),
    "a total that outlives the call": (
        "total = 0\n\n\n" + STARTER.replace("total = 0", "global total")
        .replace("copies[0]", "sum(copies)"),
        "9 is left over from the call before",
    ),
    "somebody else's counters": (
        "def packets(counters):\n    return 4711\n", "Does it look at counters",
    ),
    "a total from outside": (
        "total = 0\n\n\n" + STARTER.replace("    total = 0\n", ""), "inside the function",
    ),
    "the name of sum for its own": (
        STARTER.replace("total += copies[0]", "sum = sum(copies)"), "Python's own is hidden",
    ),
    "a copy taken for an index": (
        [("total += copy", "total += copies[copy]")], "already the number",
    ),
    "all copies at once": (
        STARTER.replace("copies[0]", "copies"), "How many numbers does it hold",
    ),
    "the sum of all values": (
        "def packets(counters):\n    return sum(counters.values())\n",
        "How many numbers does it hold",
    ),
    "pairs for copies": (
        [("counters.values()", "counters.items()")], "How many numbers does it hold",
    ),
    "a list": (
        "def packets(counters):\n    return [sum(copies) for copies in counters.values()]\n",
        "That is a list, where one number",
    ),
    "a dict": (
        "def packets(counters):\n    return {key: sum(row) for key, row in counters.items()}\n",
        "That is a dict, where one number",
    ),
    "every protocol that there may be": (
        "def packets(counters):\n    return sum(sum(counters[key]) for key in range(256))\n",
        "Which keys does this one have",
    ),
    "stuck at none": (
        [("    total = 0\n", "    if not counters:\n        return None\n    total = 0\n")],
        "no entries",
    ),
}  # fmt: skip
ALTERNATIVES = {
    "the sums of the lab's maps": """def packets(counters):
    return sum(copies.sum for copies in counters.values())
""",
    "in one breath": """packets = lambda counters: sum(map(sum, counters.values()))
""",
}

HOW_MANY = "Do you know how many CPUs there are? There is a copy for each."
HOLDS = "A value of this dict has a copy for each CPU. How many numbers does it hold?"
WHICH = "Each protocol has a copy for each CPU. Which of the numbers did you add?"
KEYS = "What does a loop over a dict give, its keys or its values?"
SOME = (2, 4, 8)  # CPUs that a reader may have
ROWS = {  # words of an error, and what they are about
    "No module named": "That module is not installed here. Python's own sum() adds up as well.",
    "name 'np' is not": "Nothing has imported np. Python's own sum() adds up as well.",
    "KeyError": "A map has only the protocols that came in. Which keys does this one have?",
    "object is not callable": "What stands in front of the ( is no function. The .sum of a value "
    "is a number already (numpy trips over it, too: sum(copies) does not); and a name that you set "
    "to a number is one from then on.",
    "index out of range": HOW_MANY,
    "PerCPU": HOLDS,
    "values to unpack": HOLDS,
    "builtin_function_or_method": f"That is a method which nobody has called. {KEYS}",
    "int object": KEYS,
    "'int' object": f"Which of them is a number, and which holds several? {KEYS}",
    "local variable": "A name that your function sets is its own: set it inside the function, "
    "before it is used. (If it is the name sum: Python's own is hidden behind it.)",
}


def check(packets):
    cases = [
        ("9 TCP packets over four CPUs", {6: (2, 3, 1, 3)}),  # indices, each of them
        ("15 pings over six CPUs", {1: (7, 0, 3, 0, 0, 5)}),
        ("3 pings and 40 UDP packets over ten CPUs",
         {1: (1, 0, 2, *[0] * 7), 17: (10, 10, *[0] * 7, 20)}),
        ("a map with no entries", {}),
    ]  # fmt: skip
    before = 0
    for what, rows in cases:
        counters = {key: PerCPU(copies) for key, copies in rows.items()}
        every = [list(copies) for copies in rows.values()]
        right = sum(map(sum, every))
        try:
            found = packets(counters)
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            think = next((t for words, t in ROWS.items() if words in told), None)
            if think is None:
                raise
            raise Wrong(what, f"packets() gives {right}", str(error), think) from error
        if found is not None and not isinstance(found, Number):
            kind = type(found).__name__
            think = f"That is a {kind}, where one number is asked for. What of it is left to do?"
            raise Wrong(what, f"packets() gives {right}", f"packets() gives {found!r}", think)
        if found != right:
            think = _of_one_call(found, rows, every)
            if found == right + before:
                think = f"{before} is left over from the call before. What outlives a call?"
            elif found and found == _of_nothing(packets):
                think = "It gives that for a map with no entries, too. Does it look at counters?"
            equal(what, "packets() gives", right, found, think)
        before += right


def _of_one_call(found, rows, every):
    """Which mistake gives this number."""
    if found is None:
        return "Does your function return a number, also for a map with no entries?"
    thoughts = {
        sum(rows): "Those are the keys, the numbers of the protocols.",
        len(rows): "Those are the entries. How many packets is each?",
        sum(map(len, every)): "That is how many copies there are, not what is in them.",
    }
    if found in thoughts:
        return thoughts[found]
    if any(found == sum(pick(copies) for copies in every) for pick in (max, _first, _last)):
        return "It reads only one CPU of each protocol. Who adds up the copies?"
    if found == sum(copies[copy % len(copies)] for copies in every for copy in copies):
        return "Is a copy an index, or already the number?"
    if any(found == sum(sum(copies[:n]) for copies in every) for n in SOME):
        return HOW_MANY
    return "Is it every protocol?" if found in map(sum, every) else WHICH


def _of_nothing(packets):
    with suppress(Exception):  # it is only asked to learn more of a wrong answer
        return packets({})


def _first(copies):
    return copies[0]


def _last(copies):
    return copies[-1]
