"""A table for servers of unequal strength, whose rows still move only when they must."""

import numpy as np

from . import Wrong, equal

TITLE = "By weight"
TEXT = """
New servers come, twice as strong as the old ones. The program stays as it is: strength is a matter
of the table.

`weights` is a dict of whole numbers such as `{"s1": 1, "s2": 2}`; 0 is for one that gets nothing.
**Return 65,536 names, the owner
of each row**, so that a server has rows by its weight. When a server leaves, or a weight changes,
no row moves between two others.
"""
NAME = "rows_by_weight"
STARTER = """import numpy as np

from labsetup import *


def rows_by_weight(weights):
    names = list(weights)
    return [names[row % len(names)] for row in range(65_536)]  # your code


check("7.3")
"""
STARTER_SAYS = "s4 and s1 have the same"
HINTS = (
    "Lesson 06 had unequal servers, too. It chose for flows there; a row can choose in the same "
    "way.",
    "rendezvous() takes hashes, names and weights. What is the hash of a row? It must be another "
    "for each, and the same tomorrow.",
    "mixed(np.arange(65_536, dtype=np.uint64)) are 65,536 hashes. The weights are "
    "list(weights.values()).",
)
SOLUTION = """import numpy as np

from labsetup import *


def rows_by_weight(weights):
    hashes = mixed(np.arange(65_536, dtype=np.uint64))
    return rendezvous(hashes, list(weights), list(weights.values()))


check("7.3")
"""
COMPARE = (
    "A server of weight 2 may also take part twice, as two servers under names of their own. "
    "Which way is better for weights such as 1000 and 1001?"
)
NEXT = (
    "Put it into a running balancer. A name becomes its place, list(net.vip_hosts).index(name); "
    'lb.program["tables"][lb.program["active"][0]] = {"rows": places} takes np.uint16. Who has how '
    "many of Connections(net, 1000)?"
)

HEAD = "import numpy as np\n\nfrom labsetup import *\n\n\n"
BY_SCORE = (
    HEAD
    + """def rows_by_weight(weights):
    rows = mixed(np.arange(65_536, dtype=np.uint64))
    chance = np.array([mixed(rows ^ seed_of(name)) / 2.0**64 for name in weights])
    scores = np.array(list(weights.values()))[:, None] * chance
    return np.array(list(weights))[scores.argmax(axis=0)]
"""
)
COPIES = (
    HEAD
    + """def rows_by_weight(weights):
    rows = mixed(np.arange(65_536, dtype=np.uint64))
    names = [f"{name} {n}" for name, weight in weights.items() for n in range(weight)]
    return [name.split()[0] for name in rendezvous(rows, names)]
"""
)
NEAR_MISSES = {
    "dealt out in turn": (
        """def rows_by_weight(weights):
    names = [name for name, weight in weights.items() for _ in range(weight)]
    return [names[row % len(names)] for row in range(65_536)]
""",
        "s3 leaves",
    ),
    "in pieces, as a router cuts them": (
        HEAD
        + """def rows_by_weight(weights):
    ends = np.cumsum(list(weights.values())) * 65_536 // sum(weights.values())
    return np.array(list(weights))[np.searchsorted(ends, np.arange(65_536), side="right")]
""",
        "s3 leaves",
    ),
    "the weight times the score": (BY_SCORE, "6.0 times the rows"),
    "weights forgotten": ([(", list(weights.values()))", ")")], "have the same"),
    "strong and weak confused": (
        [("list(weights.values())", "[1 / weight for weight in weights.values()]")],
        "the strongest, has less",
    ),
    "servers numbered through": (
        [("list(weights), list", "[str(n) for n in range(len(weights))], list"),
         ("    return rendezvous", "    names = np.array(list(weights))\n"
          "    return names[rendezvous"),
         ("weights.values()))", "weights.values())).astype(int)]")],
        "s3 leaves",
    ),
    "copies numbered through": (
        HEAD
        + """def rows_by_weight(weights):
    rows = mixed(np.arange(65_536, dtype=np.uint64))
    owners = [name for name, weight in weights.items() for _ in range(weight)]
    numbers = [str(number) for number in range(len(owners))]
    return [owners[int(number)] for number in rendezvous(rows, numbers)]
""",
        "s3 leaves",
    ),
    "by chance": (
        HEAD
        + """def rows_by_weight(weights):
    total = sum(weights.values())
    chances = [weight / total for weight in weights.values()]
    return np.random.default_rng().choice(list(weights), 65_536, p=chances)
""",
        "asked twice",
    ),
    "one row too few": ([("65_536", "65_535")], "65535"),
    "places, not names": (
        [("return rendezvous(", "names = list(weights)\n    return [names.index(name) for name in "
          "rendezvous("), ("weights.values()))", "weights.values()))]")],
        "are the names",
    ),
    "printed, not returned": ([("return rendezvous(", "print("), ("hashes, ", "")], "return"),
}  # fmt: skip
ALTERNATIVES = {
    "as many servers as the weight says": COPIES,
    "the first to arrive, by a clock of its own": """import math
import random


def rows_by_weight(weights):
    clocks = {}
    for name, weight in weights.items():
        if weight:
            chance = random.Random(name)
            clocks[name] = [-math.log(1 - chance.random()) / weight for _ in range(65_536)]
    return [min(clocks, key=lambda name: clocks[name][row]) for row in range(65_536)]
""",
    "rendezvous by hand": BY_SCORE.replace(
        "    scores = np.array(list(weights.values()))[:, None] * chance\n",
        "    scores = np.log(chance) / np.maximum(list(weights.values()), 1e-9)[:, None]\n",
    ),
}

ROWS = 65_536


def check(rows_by_weight):
    def asked(weights):
        sent = f"weights {weights}"
        given = rows_by_weight(dict(weights))
        if given is None:
            raise Wrong(sent, "65,536 names", "None", "Does your function return its rows?")
        equal(sent, "rows, as many as", ROWS, len(given), "A table has 65,536 rows, from 0 on.")
        owners = np.array(given)
        strange = sorted(set(owners.tolist()) - set(weights), key=str)
        if strange:
            raise Wrong(
                sent,
                f"owners that are the names {', '.join(weights)}",
                f"an owner {strange[0]!r}",
                "What are the names, and what did you return?",
            )
        _fair(sent, weights, {name: float((owners == name).mean()) for name in weights})
        return owners

    weights = {"s1": 1, "s2": 1, "s3": 1, "s4": 2, "s5": 1}
    before = asked(weights)
    _same("the same weights, asked twice", before, asked(weights), (),
          "A row must have the same owner whoever asks, and whenever.")  # fmt: skip
    _same("s3 leaves", before, asked({n: w for n, w in weights.items() if n != "s3"}), {"s3"},
          "Rows moved that were not s3's. Does a row's choice between two servers depend on the "
          "others?")  # fmt: skip
    _same("s4 gets the weight 3", before, asked(weights | {"s4": 3}), {"s4"},
          "Rows moved that s4 had no part in.")  # fmt: skip
    _same("s2 gets the weight 0", before, asked(weights | {"s2": 0}), {"s2"},
          "Rows moved that s2 had no part in.")  # fmt: skip
    turned = dict(reversed(weights.items()))
    _same("the same servers in another order", before, asked(turned), (),
          "A server's rows come from its name, not from its place in a list.")  # fmt: skip
    asked({"ada": 3, "bob": 1})


def _fair(sent, weights, found):
    right = {name: weight / sum(weights.values()) for name, weight in weights.items()}
    if all(abs(found[name] - share) <= 0.06 * share for name, share in right.items()):
        return
    strong, weak = max(weights, key=weights.get), min(weights, key=weights.get)
    ratio = found[strong] / found[weak] if found[weak] else 0
    think = f"{strong} has {ratio:.1f} times the rows of {weak}. Look at their weights."
    if ratio < 0.9:
        think = f"{strong}, the strongest, has less than {weak}."
    elif ratio < 1.1:
        think = f"{strong} and {weak} have the same, whatever their weights."
    raise Wrong(sent, _shown(right), _shown(found), think)


def _shown(shares):
    return ", ".join(f"{name} {100 * share:.1f} %" for name, share in shares.items())


def _same(sent, before, after, but, think):
    """Rows change only to or from the servers that are named."""
    moved = (before != after) & ~np.isin(before, list(but)) & ~np.isin(after, list(but))
    among = f" other than {', '.join(but)}'s" if but else ""
    equal(sent, f"rows that moved{among}:", 0, int(moved.sum()), think)
