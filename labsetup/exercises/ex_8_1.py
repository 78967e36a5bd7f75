"""How much a router moves when its list of next hops changes: RFC 2992, for any change."""

from fractions import Fraction

from ..sandbox import LabError
from . import Wrong

TITLE = "What the router moves"
TEXT = """
The formula of RFC 2992 knows one change: one next hop is taken away. You want to know it for any:
two go at once, one comes in the middle, a router restarts and has them in another order.

A router cuts the hash's range into equal pieces, one for each next hop, in the order of its list.
**Return the share of flows that move**, a number from 0 to 1. `before` and `after` are lists of
names. Work it out: the check has no network, and no router to ask.
"""
NAME = "router_moves"
STARTER = """def router_moves(before, after):
    return len(set(before) - set(after)) / len(before)  # those of who goes; your code


check("8.1")
"""
STARTER_SAYS = "0.250"
HINTS = (
    "Draw two bars of the same length, one above the other. Cut one into 4 pieces, the other into "
    "3, and write the names in. Which parts have the same name above and below?",
    "Piece i of n goes from i / n to (i + 1) / n. What two pieces have in common begins at the "
    "later beginning, and ends at the earlier end.",
    "For each name in both lists: min(ends) - max(beginnings), if that is more than 0. The sum of "
    "these stays; the rest moves.",
)
SOLUTION = """def router_moves(before, after):
    stays = 0
    for name in set(before) & set(after):
        i, j = before.index(name), after.index(name)
        begins = max(i / len(before), j / len(after))
        ends = min((i + 1) / len(before), (j + 1) / len(after))
        stays += max(0, ends - begins)
    return 1 - stays


check("8.1")
"""
COMPARE = (
    "Yours may also ask many hashes one by one where each is before and after. Both are right; "
    "which one would you trust at a glance?"
)
NEXT = (
    "Ask the router: ecmp(net, before), next_hops(net, flows), then the same with after, and "
    "moved(). In which place of the list does a new server disturb least?"
)

FORMULA = """def router_moves(before, after):
    n = len(before)
    k = {k}
    return (k * (k - 1) + (n - k) * (n - k + 1)) / (2 * n * (n - 1))
"""
GONE = "next((i for i, name in enumerate(before{}) if name not in after), n)"
NEAR_MISSES = {
    "the formula of the lesson": (FORMULA.format(k=GONE.format(", 1")), "in the middle of three"),
    "the formula, counted from 0": (FORMULA.format(k=GONE.format("")), "s1 is taken out"),
    "modulo": (
        """def router_moves(before, after):
    hashes = range(10_000)
    moved = [before[h % len(before)] != after[h % len(after)] for h in hashes]
    return sum(moved) / len(moved)
""",
        "what modulo moves",
    ),
    "what stays": ([("return 1 - stays", "return stays")], "stay"),
    "whole pieces": (
        """def router_moves(before, after):
    stays = sum(a == b for a, b in zip(before, after))
    return 1 - stays / len(before)
""",
        "s1 is taken out",
    ),
    "pieces that do not meet, counted below 0": (
        [("stays += max(0, ends - begins)", "stays += ends - begins")], "the other way round",
    ),
    "in percent": ([("return 1 - stays", "return 100 * (1 - stays)")], "from 0 to 1"),
    "the order ignored": (
        [("    stays = 0\n", "    before, after = sorted(before), sorted(after)\n    stays = 0\n")],
        "in the middle",
    ),
    "pieces of the old size": ([("ends = min((i + 1)", "after = after + [None] * "
                                "(len(before) - len(after))\n        ends = min((i + 1)")],
                               "s1 is taken out"),
    "only those whose server is gone, or new": (
        """def router_moves(before, after):
    return len(set(before) ^ set(after)) / max(len(before), len(after))
""",
        "s1 is taken out",
    ),
    "the formula, once for each that goes": (
        """def router_moves(before, after):
    n = len(before)
    ks = [k for k, name in enumerate(before, 1) if name not in after]
    return sum((k * (k - 1) + (n - k) * (n - k + 1)) / (2 * n * (n - 1)) for k in ks)
""",
        "Fewer than must",
    ),
    "a router asked, which is not there": (
        """from labsetup import LabError, ecmp, moved, next_hops, no_balancer, random_flows

net = no_balancer()
net.close()  # as for the check the network of a notebook is


def router_moves(before, after):
    flows = random_flows(1000, clients="203.0.113.0/24")
    at = []
    for names in (before, after):
        ecmp(net, names)
        at.append(next_hops(net, flows))
    return moved(*at)
""",
        "without a network",
    ),
    "nothing returned": ([("return 1 - stays", "print(1 - stays)")], "return"),
}  # fmt: skip
ALTERNATIVES = {
    "hash by hash": """import numpy as np


def router_moves(before, after):
    places = (np.arange(100_000) + 0.5) / 100_000
    was = np.array(before)[(places * len(before)).astype(int)]
    now = np.array(after)[(places * len(after)).astype(int)]
    return (was != now).mean()
""",
    "in slices so thin that each has one owner": """from math import lcm


def router_moves(before, after):
    slices = lcm(len(before), len(after))
    moved = 0
    for number in range(slices):
        if before[number * len(before) // slices] != after[number * len(after) // slices]:
            moved += 1
    return moved / slices
""",
    "walking along both lists": """def router_moves(before, after):
    i = j = 0
    here = moved = 0.0
    while i < len(before) and j < len(after):
        border = min((i + 1) / len(before), (j + 1) / len(after))
        if before[i] != after[j]:
            moved += border - here
        here = border
        i, j = i + ((i + 1) / len(before) <= here), j + ((j + 1) / len(after) <= here)
    return moved
""",
}

ASKED = "The check runs your function without a network. How would you find it with pen and paper?"
FOUR = ["s1", "s2", "s3", "s4"]
CASES = {
    "s1 is taken out of four": (FOUR, FOUR[1:]),
    "s2 is taken out of four": (FOUR, ["s1", "s3", "s4"]),
    "s4 is appended to three": (FOUR[:3], FOUR),
    "s4 comes in the middle of three": (FOUR[:3], ["s1", "s4", "s2", "s3"]),
    "a router restarts, and has them in another order": (FOUR, ["s2", "s1", "s3", "s4"]),
    "a router has them the other way round": (FOUR, FOUR[::-1]),
    "nothing changes": (FOUR, FOUR),
    "two of five go at once": ([*FOUR, "s5"], ["s1", "s3", "s5"]),
    "one stays, of four": (FOUR, ["s3"]),
    "all are new": (FOUR, ["s5", "s6"]),
}


def share(before, after):
    """As the router does it, exactly."""
    stays = Fraction(0)
    for i, name in enumerate(before):
        for j, other in enumerate(after):
            begins = max(Fraction(i, len(before)), Fraction(j, len(after)))
            ends = min(Fraction(i + 1, len(before)), Fraction(j + 1, len(after)))
            if name == other and ends > begins:
                stays += ends - begins
    return float(1 - stays)


def least(before, after):
    """What must move, since each name has its share before and after."""
    return 1 - len(set(before) & set(after)) * min(1 / len(before), 1 / len(after))


def check(router_moves):
    for what, (before, after) in CASES.items():
        sent = f"{what}: {', '.join(before)} → {', '.join(after)}"
        right = share(before, after)
        try:
            found = router_moves(list(before), list(after))
        except LabError:  # whose words, that the host is gone, would send readers the wrong way
            raise Wrong(sent, f"{right:.3f}", "it asks a network, and none is here",
                        ASKED) from None  # fmt: skip
        if found is None:
            raise Wrong(sent, f"{right:.3f}", "None", "Does your function return the share?")
        if abs(found - right) <= 0.01:
            continue
        think = "Draw both lists as bars of the same length. Where do their names agree?"
        if abs(found - 100 * right) < 0.2:
            think = "Is that in percent? The share is a number from 0 to 1."
        elif abs(found - (1 - right)) < 0.002:
            think = "Is that the share of those that stay?"
        elif abs(found - least(before, after)) < 0.002:
            think = "That is the least possible. A router moves more: all borders move."
        elif found < least(before, after):
            think = "Fewer than must. Who moves when a piece gets shorter, for a new one?"
        elif abs(found - _modulo(before, after)) < 0.002:
            think = "That is what modulo moves. A router cuts the range into pieces."
        raise Wrong(sent, f"{right:.3f}", f"{found:.3f}", think)


def _modulo(before, after):
    numbers = range(len(before) * len(after))
    return sum(before[n % len(before)] != after[n % len(after)] for n in numbers) / len(numbers)
