"""Rendezvous hashing, from its rule alone."""

from contextlib import contextmanager
from unittest.mock import patch

import numpy as np

from ..hashing import flow_hash, mixed, random_flows, seed_of, unevenness
from . import Wrong

TITLE = "A meeting without a word"
TEXT = """
**Choose a server for a flow**, so that a server that leaves moves its own flows and no other.

`flow` is the hash of a five-tuple, 64 bits; `servers` is a list of names, in whatever order, and
stays as it is. Return one of the names. `mixed` stirs a number, and `seed_of` gives a server's own,
as above.
"""
NAME = "choose"
STARTER = """from labsetup import mixed, seed_of


def choose(flow, servers):
    return servers[int(flow) % len(servers)]  # your code


check("6.1")
"""
STARTER_SAYS = "moved though their server is still there"
HINTS = (
    "Which question may a flow ask a server so that the answer depends on the two of them, and on "
    "no other server?",
    "Give each server a score for this flow, and take the one with the highest. What goes into the "
    "score?",
    "max(servers, key=score), with a function score(name) that stirs flow ^ seed_of(name).",
)
SOLUTION = """from labsetup import mixed, seed_of


def choose(flow, servers):
    def score(name):
        return mixed(flow ^ seed_of(name))

    return max(servers, key=score)
"""
COMPARE = (
    "The highest score or the lowest: the proof needs only that all flows agree. Where does yours "
    "get its number for a server?"
)
NEXT = "Return the two best, in order: choose(flow, servers)[1] is where a flow goes next."

SCORE = "mixed(flow ^ seed_of(name))"
BY_INDEX = """from labsetup import mixed


def choose(flow, servers):
    scores = [mixed(flow ^ mixed(np.uint64(n + 1))) for n in range(len(servers))]
    return servers[int(np.argmax(scores))]
"""
NEAR_MISSES = {
    "modulo": (STARTER, "moved though their server is still there"),
    "a number from the index": (
        BY_INDEX.replace("from labsetup", "import numpy as np\n\nfrom labsetup"),
        "its place in the list",
    ),
    "modulo of the names in order": (
        [("max(servers, key=score)", "sorted(servers)[int(flow) % len(servers)]")],
        "moved though their server is still there",
    ),
    "a score that does not know the flow": ([(SCORE, "seed_of(name)")], "Is the score one of both"),
    "a score that does not know the server": ([(SCORE, "mixed(flow)")], "Is the score one of both"),
    "not stirred together": ([(SCORE, "mixed(flow) ^ seed_of(name)")], "and not evenly"),
    "each stirred, and then put together": (
        [(SCORE, "mixed(flow) ^ mixed(seed_of(name))")], "s3 leaves: the flows of those that stay",
    ),
    "cut short, as for printing": (
        [(SCORE, "int(mixed(flow ^ seed_of(name))) >> 54")], "where two scores are alike",
    ),
    "cut very short": (
        [(SCORE, "int(mixed(flow ^ seed_of(name))) >> 60")], "where two scores are alike",
    ),
    "the list put in order": (
        [("    return max", "    servers.sort(key=score)\n    return max")], "its caller's",
    ),
    "the best taken out of the list": (
        [("    return max(servers, key=score)",
          "    best = max(servers, key=score)\n    servers.remove(best)\n    return best")],
        "its caller's",
    ),
    "added, not stirred": ([(SCORE, "int(flow) + int(seed_of(name))")], "Is the score one of both"),
    "its score, not its name": ([("max(servers, key=score)", "max(map(score, servers))")],
                                "a name from the list"),
    "no return": ([("return max", "max")], "a name from the list"),
    "Python's own hash": ([(SCORE, 'hash(f"{flow} {name}")')], "that of another Python process"),
    "Python's own hash, for a server's seed": (
        [("seed_of(name))", "np.uint64(hash(name) % 2**64))"),
         ("from labsetup", "import numpy as np\n\nfrom labsetup")],
        "Two load balancers",
    ),
    "by chance": (
        [("max(servers, key=score)", "random.choice(servers)"),
         ("from labsetup", "import random\n\nfrom labsetup")],
        "another one for",
    ),
}  # fmt: skip
ALTERNATIVES = {
    "all in order, of which the first is taken": [
        ("max(servers, key=score)", "sorted(servers, key=score, reverse=True)[0]"),
    ],
    "as a share of one": [(SCORE, "int(mixed(flow ^ seed_of(name))) / 2**64")],
    "the lowest score": [("max(servers", "min(servers")],
    "a loop": """from labsetup import mixed, seed_of


def choose(flow, servers):
    best, winner = -1, None
    for name in servers:
        score = int(mixed(mixed(flow) ^ seed_of(name)))
        if score > best:
            best, winner = score, name
    return winner
""",
    "with another hash": """import hashlib


def choose(flow, servers):
    return max(servers, key=lambda name: hashlib.sha256(f"{flow} {name}".encode()).digest())
""",
    "Python's own hash, of numbers": [
        (SCORE, "mixed(np.uint64(hash((int(flow), int(seed_of(name)))) % 2**64))"),
        ("from labsetup", "import numpy as np\n\nfrom labsetup"),
    ],
    "a ring": """from labsetup import mixed, seed_of
import numpy as np


def choose(flow, servers):
    numbers = np.arange(1, 401, dtype=np.uint64)
    best = None
    for name in servers:
        ahead = (mixed(numbers ^ seed_of(name)) - flow).min()
        if best is None or ahead < best[0]:
            best = ahead, name
    return best[1]
""",
}

FLOWS = 400
SERVERS = ["s1", "s2", "s3", "s4", "s5"]
COUNT = "Does the number of servers play a part? It changes for all flows."
PLACE = "Where does a server's number come from: its name, or its place in the list?"
NEW = "A new server may take flows to itself. Why do others move?"
BOTH = "All flows meet at one server. Is the score one of both, the flow and the server?"
STIRRED = "A few bits decide, and not evenly. What is stirred, and when?"
TIED = "The order has a say where two scores are alike. How many different ones can yours be?"
YOURS = (
    "The list is its caller's, who needs it for the next flow. Can you do without a change to it?"
)

SALT = "Python's hash() of a str is another in each process. Two load balancers have to agree."


def salted(thing):
    """Whether Python stirs a salt of the process into this one's hash."""
    if isinstance(thing, (tuple, frozenset)):
        return any(map(salted, thing))
    return isinstance(thing, (str, bytes))


@contextmanager
def another_process():
    """hash() as a process with another salt has it (PYTHONHASHSEED); a number's stays."""
    own = hash
    with patch("builtins.hash", lambda one: own(("another", one) if salted(one) else one)):
        yield


def check(choose):
    hashes = flow_hash(random_flows(FLOWS), key=(6, 1))

    def chosen(servers, flows=hashes):
        names = []
        for flow in flows:
            name = choose(flow, given := list(servers))
            if not (isinstance(name, str) and name in servers):
                think = "What does your function return, and is it one of the servers?"
                raise Wrong(f"a flow, and {servers}", "a name from the list", repr(name), think)
            if given != servers:
                raise Wrong(f"a flow, and {servers}", "the list stays as it is", f"{given}", YOURS)
            names.append(name)
        return np.array(names)

    before = chosen(SERVERS)
    every = f"{FLOWS} flows, and {', '.join(SERVERS)}"
    if changed := int((chosen(SERVERS) != before).sum()):
        think = "Packets of one connection have the same hash. What else is there in your choice?"
        raise Wrong(f"{every}, twice", "the same server", f"another one for {changed}", think)
    for gone, think in (("s5", COUNT), ("s3", PLACE), ("s1", PLACE)):
        rest = [name for name in SERVERS if name != gone]
        after = chosen(rest)
        nothing(f"{FLOWS} flows; {gone} leaves", (after != before) & (before != gone), think)
        if len(set(before)) > 1:
            fair(f"{FLOWS} flows; {gone} leaves: the flows of those that stay", after, rest)
    after = chosen(["s0", *SERVERS])
    nothing(f"{FLOWS} flows; s0 comes", (after != before) & (after != "s0"), NEW)
    fair(every, before, SERVERS)
    close = alike()
    moved = np.concatenate([
        chosen(SERVERS[::-1]) != before, chosen(SERVERS[::-1], close) != chosen(SERVERS, close),
    ])  # fmt: skip
    think = TIED if moved.mean() < 0.5 else PLACE
    nothing(f"{len(moved)} flows; the same servers in another order", moved, think)

    with another_process():
        changed = int((chosen(SERVERS) != before).sum())
    if changed:
        sent = f"{every}, where hash() is that of another Python process"
        raise Wrong(sent, "the same server", f"another one for {changed}", SALT)


def nothing(sent, moved, think):
    """Refuse an answer that moves flows for nothing."""
    if moved.any():
        happened = f"{moved.sum()} moved though their server is still there"
        raise Wrong(sent, "nobody moves for nothing", happened, think)


def fair(sent, names, servers):
    """Refuse an answer that gives a server far more than its share, or far less."""
    counts = [int((names == name).sum()) for name in servers]
    if unevenness(names, servers) <= 1.5 and min(counts) >= len(names) / len(servers) / 2:
        return
    found = ", ".join(f"{name} {count}" for name, count in zip(servers, counts, strict=True))
    raise Wrong(
        sent, "about as many for each", found, BOTH if max(counts) == len(names) else STIRRED
    )


def alike():
    """Flows whose two highest, or two lowest, scores are nearly one number."""
    many = flow_hash(random_flows(100_000, seed=61))
    scores = np.sort([mixed(many ^ seed_of(name)) for name in SERVERS], axis=0)
    near = [np.argsort(high - low)[:20] for low, high in (scores[:2], scores[-2:])]
    return many[np.concatenate(near)]
