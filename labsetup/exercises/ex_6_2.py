"""Shares by weight, and still nobody moves who need not."""

import numpy as np

from ..hashing import flow_hash, random_flows
from . import Wrong

TITLE = "As strong as two"
TEXT = """
`weights` says how strong each server is, in whole numbers from 1: `{"s1": 1, "s2": 1, "s3": 2}`.
**Choose a server for a flow so that its share is its weight's**: here a quarter, a quarter, a half.

Still nobody moves who need not. When a weight rises, flows move to that server and nowhere else.
(`rendezvous`, in `labsetup/hashing.py`, has a formula for any weight; whole numbers need none.)
"""
NAME = "choose_weighted"
STARTER = """from labsetup import mixed, seed_of


def choose_weighted(flow, weights):
    def score(name):
        return mixed(flow ^ seed_of(name))  # your code

    return max(weights, key=score)


check("6.2")
"""
STARTER_SAYS = "All have the same share"
HINTS = (
    "Imagine the strong server as two servers in one case. What would plain rendezvous do with "
    "them?",
    "A server takes part as often as its weight says, each time with another score. If any of them "
    "is the best, it wins.",
    "The score of a server is the max() over range(weights[name]) of mixed(flow ^ seed_of(...)), "
    "with another name for each turn, such as s3/0 and s3/1.",
)
SOLUTION = """from labsetup import mixed, seed_of


def choose_weighted(flow, weights):
    def score(name):
        return max(mixed(flow ^ seed_of(f"{name}/{turn}")) for turn in range(weights[name]))

    return max(weights, key=score)
"""
COMPARE = (
    "This one asks as many times as the sum of all weights. With u the score as a number from 0 to "
    "1, u ** (1 / weight) has the same shares and asks once."
)
NEXT = (
    "Weights of 100 and 150: what does a choice cost now, and what are the smallest such weights?"
)

SCORES = 'max(mixed(flow ^ seed_of(f"{name}/{turn}")) for turn in range(weights[name]))'
ONE = "mixed(flow ^ seed_of(name))"
REPEATED = "[name for name in weights for _ in range(weights[name])]"
NEAR_MISSES = {
    "weights ignored": ([(SCORES, ONE)], "All have the same share"),
    "the score times the weight": ([(SCORES, f"int({ONE}) * weights[name]")], "more than its"),
    "the weight added": ([(SCORES, f"int({ONE}) + weights[name]")], "All have the same share"),
    "the same number for each turn": (
        [(SCORES, f"max({ONE} for _ in range(weights[name]))")], "All have the same share",
    ),
    "the sum of the scores": (
        [("return max(mixed", "return sum(int(mixed"), ("}/{turn}\"))", "}/{turn}\")))")],
        "more than its",
    ),
    "modulo of a list with repetitions": (
        f"def choose_weighted(flow, weights):\n    names = {REPEATED}\n"
        "    return names[int(flow) % len(names)]\n",
        "moved elsewhere",
    ),
    "a number from the place in a list with repetitions": (
        "import numpy as np\n\nfrom labsetup import mixed\n\n\n"
        f"def choose_weighted(flow, weights):\n    names = {REPEATED}\n"
        "    turns = np.arange(1, len(names) + 1, dtype=np.uint64)\n"
        "    return names[int(mixed(flow ^ mixed(turns)).argmax())]\n",
        "moved elsewhere",
    ),
    "one turn too few": ([("range(weights[name])", "range(max(1, weights[name] - 1))")],
                         "All have the same share"),
    "one turn too many": ([("range(weights[name])", "range(weights[name] + 1)")],
                          "less than its weight"),
    "the formula, and its logarithm not below": (
        """import math

from labsetup import mixed, seed_of


def choose_weighted(flow, weights):
    def score(name):
        u = (int(mixed(flow ^ seed_of(name))) + 0.5) / 2**64
        return -math.log(u) * weights[name]

    return max(weights, key=score)
""",
        "more than its",
    ),
    "a root of a number above 1": (
        [(SCORES, f"int({ONE}) ** (1 / weights[name])")], "never wins",
    ),
    "copies whose names are alike": (
        """from labsetup import mixed, seed_of


def choose_weighted(flow, weights):
    names = {f"{n}{i}": n for n in weights for i in range(weights[n])}
    return names[max(names, key=lambda name: mixed(flow ^ seed_of(name)))]
""",
        "another order",
    ),
    "turns whose names are alike": ([("{name}/{turn}", "{name}{turn}")], "another order"),
}  # fmt: skip
ALTERNATIVES = {
    "copies with names of their own": """from labsetup import mixed, seed_of


def choose_weighted(flow, weights):
    names = {f"{n}-{i}": n for n in weights for i in range(weights[n])}
    return names[max(names, key=lambda name: mixed(flow ^ seed_of(name)))]
""",
    "by a root": [(SCORES, f"(int({ONE}) / 2**64) ** (1 / weights[name])")],
    "by the formula": """import math

from labsetup import mixed, seed_of


def choose_weighted(flow, weights):
    def score(name):
        u = (int(mixed(flow ^ seed_of(name))) + 0.5) / 2**64
        return weights[name] / -math.log(u)

    return max(weights, key=score)
""",
    "a list of all turns, and another hash": """import hashlib


def choose_weighted(flow, weights):
    turns = [(name, turn) for name in weights for turn in range(weights[name])]
    return min(turns, key=lambda one: hashlib.sha256(f"{one} {flow}".encode()).digest())[0]
""",
}

FLOWS = 600
LIGHT = {"s1": 1, "s2": 1, "s3": 2}
CASES = [  # weights, and those that come after them
    (LIGHT, LIGHT | {"s3": 3}),
    (LIGHT, LIGHT | {"s1": 2}),
    ({"s1": 3, "s2": 2, "s3": 1}, {"s1": 3, "s2": 2, "s3": 1, "s4": 2}),
]
SHARES = (LIGHT, {"s1": 1, "s2": 5}, dict.fromkeys(("s1", "s2", "s3"), 3),
          dict.fromkeys(("s1", "s2", "s3", "s4", "s5", "s6"), 1) | {"s7": 4})  # fmt: skip
ALIKE = {"s11": 2, "s1": 12}  # s11's first two and s1's last two are easily one name
MOVES = "Has every score stayed what it was, but for those of the one server?"
ONE_NAME = "Two servers have one score, and the order decides. Can two of your names be the same?"
RETURN = "What does your function return, and is it one of the servers?"


def check(choose_weighted):
    hashes = flow_hash(random_flows(FLOWS), key=(6, 2))

    def chosen(weights, flows=hashes):
        names = [choose_weighted(flow, dict(weights)) for flow in flows]
        for name in names:
            if not (isinstance(name, str) and name in weights):
                raise Wrong(f"weights {weights}", "a name of a server", repr(name), RETURN)
        return np.array(names)

    for weights in SHARES:
        names = chosen(weights)
        wanted = {name: weight / sum(weights.values()) for name, weight in weights.items()}
        found = {name: float((names == name).mean()) for name in weights}
        # What chance does, 4.5 standard deviations of it, is no fault of a hash.
        if any(abs(found[n] - w) > 4.5 * (w * (1 - w) / FLOWS) ** 0.5 for n, w in wanted.items()):
            sent = f"{FLOWS} flows, weights {weights}"
            raise Wrong(sent, _shown(wanted), _shown(found), _thought(wanted, found))
    for weights, then in CASES:
        gains = next(name for name in then if then[name] != weights.get(name))
        before, after = chosen(weights), chosen(then)
        if stray := int(((before != after) & (after != gains)).sum()):
            happened = f"{stray} moved elsewhere"
            raise Wrong(f"weights {weights}, then {then}", f"who moves, moves to {gains}",
                        happened, MOVES)  # fmt: skip
    for weights, think in ((LIGHT, MOVES), (ALIKE, ONE_NAME)):
        some = hashes[:150]
        moved = chosen(weights, some) != chosen(dict(reversed(weights.items())), some)
        if moved.any():
            raise Wrong(f"weights {weights}, and the same in another order", "nobody moves",
                        f"{moved.sum()} moved elsewhere", think)  # fmt: skip


def _shown(shares):
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items())


def _thought(wanted, found):
    strong = max(wanted, key=wanted.get)
    if max(found.values()) < 1.25 * min(found.values()):
        return (
            "All have the same share. What does a weight change in a score? (A number of 64 bits "
            "wraps round when it is multiplied.)"
        )
    if found[strong] < 0.02:
        return (
            "The strong one never wins. What does its weight do to a large number, and to a small?"
        )
    if found[strong] > wanted[strong]:
        return "The strong one gets more than its weight. How likely is it to win, and why?"
    return "The strong one gets less than its weight. How often does it take part?"
