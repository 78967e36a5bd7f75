"""Ways to spread flows over servers, for many flows at a time; and the hash that bpf/hash.h has.

Flows are rows of a numpy array, hashes are uint64, and a server is known by its name. Each way
takes the hashes of the flows and the names of the servers, and returns a name for each flow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..arguments import checked, shown, whole
from ..errors import LabError
from . import one_number
from .given import choices_of, described, hashes_of, key_of, names_of, network_of, two_choices

Hashes = NDArray[np.uint64]
Names = NDArray[np.str_]

FIVE_TUPLE = np.dtype(
    [("source", "u1", 16), ("destination", "u1", 16), ("ports", ">u2", 2), ("protocol", "<u4")]
)
MOST_FLOWS, MOST_ROWS, MOST_POINTS = 20_000_000, 2**24, 100_000
MAPPED = np.frombuffer(bytes(10) + b"\xff\xff", np.uint8)  # an IPv4 address as an IPv6 one


@checked
def random_flows(
    number: int, seed: int = 0, ipv6: bool = False, clients: str | None = None
) -> NDArray[np.void]:
    """TCP connections from random clients to one VIP, port 80.

    Args:
        number: how many.
        seed: the same seed gives the same flows.
        ipv6: over IPv6 instead of IPv4.
        clients: the network that they come from, such as ``"203.0.113.0/24"``; when None, any
            address at all, and a router drops those that cannot be a client's.
    """
    whole("the number of flows", number, 0, MOST_FLOWS)
    random = np.random.default_rng(whole("the seed", seed, 0, 2**128))
    network = network_of(clients, ipv6) if clients is not None else None
    flows = np.zeros(number, FIVE_TUPLE)
    flows["source"] = random.integers(0, 256, (number, 16))
    if ipv6:
        flows["source"][:, :4] = list(bytes.fromhex("20010db8"))
        flows["destination"] = list(bytes.fromhex("20010db8001000000000000000000010"))
    else:
        flows["source"][:, :12] = flows["destination"][:, :12] = MAPPED
        flows["destination"][:, 12:] = (198, 51, 100, 10)
    if network is not None:
        host = np.frombuffer(network.hostmask.packed.rjust(16, b"\0"), np.uint8)
        base = network.network_address.packed
        prefix = np.frombuffer(base if ipv6 else MAPPED.tobytes() + base, np.uint8)
        flows["source"] = flows["source"] & host | prefix
    flows["ports"][:, 0] = random.integers(1024, 65536, number)
    flows["ports"][:, 1] = 80
    flows["protocol"] = 6
    return flows


@checked
def flow_hash(flows: NDArray[np.void], key: tuple[int, int] = (0, 0)) -> Hashes:
    """SipHash-1-3 of each five-tuple, as in bpf/hash.h.

    Args:
        flows: rows of FIVE_TUPLE, 40 bytes each.
        key: two words of 64 bits, which a client must not know.
    """
    if flows.ndim != 1 or flows.dtype != FIVE_TUPLE:
        raise LabError(
            "flow_hash() takes five-tuples, as random_flows(1000) gives them, not "
            f"{described(flows)}"
        )
    words = np.ascontiguousarray(flows).view("<u8").reshape(len(flows), 5)
    k0, k1 = (np.full(len(flows), word, np.uint64) for word in key_of(key))
    a, b = k0 ^ np.uint64(0x736F6D6570736575), k1 ^ np.uint64(0x646F72616E646F6D)
    c, d = k0 ^ np.uint64(0x6C7967656E657261), k1 ^ np.uint64(0x7465646279746573)
    for word in [*words.T, np.uint64(40 << 56)]:
        d = d ^ word
        a, b, c, d = _round(a, b, c, d)
        a = a ^ word
    c = c ^ np.uint64(0xFF)
    for _ in range(3):
        a, b, c, d = _round(a, b, c, d)
    return a ^ b ^ c ^ d


def _round(a: Hashes, b: Hashes, c: Hashes, d: Hashes) -> tuple[Hashes, Hashes, Hashes, Hashes]:
    a = a + b
    b, a = _rotated(b, 13) ^ a, _rotated(a, 32)
    c = c + d
    d = _rotated(d, 16) ^ c
    a = a + d
    d = _rotated(d, 21) ^ a
    c = c + b
    b, c = _rotated(b, 17) ^ c, _rotated(c, 32)
    return a, b, c, d


def _rotated(x: Hashes, bits: int) -> Hashes:
    return (x << np.uint64(bits)) | (x >> np.uint64(64 - bits))


@checked
def mixed(x: Hashes | int) -> Hashes:
    """A number of 64 bits, stirred so that each bit of it moves half of the others.

    The finalizer of MurmurHash3 (Appleby).  It is no secret: what it stirs must be hashed.

    Args:
        x: numbers of 64 bits, or one.
    """
    if isinstance(x, np.uint64):
        return np.uint64(one_number.mixed(int(x)))
    given = np.asarray(x)
    if given.dtype.kind not in "ui":
        raise LabError(f"mixed() takes numbers of 64 bits, not {shown(x)}")
    stirred: Hashes = given.astype(np.uint64, copy=False)
    with np.errstate(over="ignore"):  # what does not fit into 64 bits is meant to fall off
        stirred = (stirred ^ (stirred >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
        stirred = (stirred ^ (stirred >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return stirred ^ (stirred >> np.uint64(33))


@checked
def seed_of(server: str) -> np.uint64:
    """A server's own number, from its name and from nothing else.

    Args:
        server: its name.
    """
    if not server:
        raise LabError("a server's number comes from its name, and this name is empty")
    return np.uint64(one_number.seed_of(server))


@checked
def modulo(hashes: Hashes, servers: Sequence[str]) -> Names:
    """The hash divided by the number of servers: what is left over is the server's place.

    Args:
        hashes: of the flows, as `flow_hash` gives them; one uint64 each.
        servers: names, at least one.
    """
    names = names_of(servers)
    chosen: Names = names[hashes_of(hashes) % np.uint64(len(servers))]
    return chosen


@checked
def ring(hashes: Hashes, servers: Sequence[str], points: int = 100) -> Names:
    """Servers have points on a circle of hashes; a flow goes to the next point after its own.

    Karger and others, "Consistent hashing and random trees", 1997.

    Args:
        hashes: of the flows, as `flow_hash` gives them; one uint64 each.
        servers: names, at least one.
        points: of each server on the circle.
    """
    names_of(servers)
    whole("the number of points", points, 1, MOST_POINTS // len(servers))
    numbers = np.arange(1, points + 1, dtype=np.uint64)
    places = np.concatenate([mixed(numbers ^ seed_of(server)) for server in servers])
    owners = np.repeat(np.array(servers), points)
    order = np.argsort(places)
    following = np.searchsorted(places[order], hashes_of(hashes)) % len(places)
    return owners[order][following]


@checked
def rendezvous(
    hashes: Hashes, servers: Sequence[str], weights: Sequence[float] | None = None
) -> Names:
    """Each flow gives every server a score, and goes to the highest.

    Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998. With weights,
    a server's share is its weight's: the score is weight / -ln(u), u being uniform in (0, 1).

    Args:
        hashes: of the flows, as `flow_hash` gives them; one uint64 each.
        servers: names, at least one.
        weights: of each server; None for all alike.
    """
    if weights is not None and not (
        len(weights) == len(servers) and all(0 <= one < np.inf for one in weights) and any(weights)
    ):
        raise LabError(
            f"weights are a number of 0 or more for each of the {len(servers)} servers, one of "
            f"them above 0, not {shown(weights)}"
        )
    names = names_of(servers)
    chosen: Names = names[_winners(hashes_of(hashes), servers, weights)]
    return chosen


def _winners(
    hashes: Hashes, servers: Sequence[str], weights: Sequence[float] | None = None
) -> NDArray[np.intp]:
    """The place of each hash's highest score in *servers*."""
    best = (
        np.full(len(hashes), -np.inf) if weights is not None else np.zeros(len(hashes), np.uint64)
    )
    winner = np.zeros(len(hashes), np.intp)
    for place, server in enumerate(servers):
        score = mixed(hashes ^ seed_of(server))
        if weights is not None:
            score = weights[place] / -np.log((score >> np.uint64(11)) * 2.0**-53 + 2.0**-54)
        better = score > best
        best, winner = np.where(better, score, best), np.where(better, place, winner)
    return winner


def owners(servers: Sequence[str], rows: int = 65_536) -> NDArray[np.intp]:
    """A table filled by rendezvous: for each row, the place of its owner in *servers*."""
    return _winners(mixed(np.arange(rows, dtype=np.uint64)), servers)


@checked
def table(hashes: Hashes, servers: Sequence[str], rows: int = 65_536) -> Names:
    """Rendezvous once for each row of a table; a flow goes to the owner of its row.

    Args:
        hashes: of the flows, as `flow_hash` gives them; one uint64 each.
        servers: names, at least one.
        rows: of the table.
    """
    names = names_of(servers)
    whole("the number of rows", rows, 1, MOST_ROWS)
    chosen: Names = names[owners(servers, rows)][hashes_of(hashes) % np.uint64(rows)]
    return chosen


@checked
def maglev(hashes: Hashes, servers: Sequence[str], rows: int = 65_537) -> Names:
    """Servers take turns in choosing a row, each by its own order of preference.

    Eisenbud and others, "Maglev: a fast and reliable software network load balancer", 2016.

    Args:
        hashes: of the flows, as `flow_hash` gives them; one uint64 each.
        servers: names, at least one.
        rows: a prime number, so that every step reaches every row, and at least one a server.
    """
    names = names_of(servers)
    whole("the number of rows", rows, max(2, len(servers)), MOST_ROWS)
    if not _is_prime(rows):
        after = next(one for one in range(rows, 2 * rows) if _is_prime(one))
        raise LabError(
            f"maglev() takes a prime number of rows, so that every server's steps reach every row; "
            f"{rows:,} is none, the next one is {after}"
        )
    seeds = [int(seed_of(server)) for server in servers]
    offset = [seed % rows for seed in seeds]
    step = [(seed >> 32) % (rows - 1) + 1 for seed in seeds]
    owners = [-1] * rows
    filled = 0
    while filled < rows:
        for place in range(len(servers)):
            row = offset[place]
            while owners[row] >= 0:
                row = (row + step[place]) % rows
            owners[row] = place
            offset[place] = (row + step[place]) % rows
            filled += 1
            if filled == rows:
                break
    chosen: Names = names[np.array(owners)[hashes_of(hashes) % np.uint64(rows)]]
    return chosen


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % one for one in range(2, math.isqrt(number) + 1))


@checked
def jump(hashes: Hashes, servers: Sequence[str]) -> Names:
    """A flow jumps ahead through the places, ever farther, and stays on the last that exists.

    Lamping and Veach, "A fast, minimal memory, consistent hash algorithm", 2014.

    Args:
        hashes: of the flows, as `flow_hash` gives them; one uint64 each.
        servers: names, of which only the last may come and go.
    """
    names = names_of(servers)
    state, here = hashes_of(hashes).copy(), np.zeros(len(hashes), np.int64)
    ahead = np.zeros(len(hashes), np.int64)
    while (going := ahead < len(servers)).any():
        here = np.where(going, ahead, here)
        state = np.where(going, state * np.uint64(2862933555777941757) + np.uint64(1), state)
        share = 2.0**31 / ((state >> np.uint64(33)).astype(np.float64) + 1)
        ahead = np.where(going, ((here + 1) * share).astype(np.int64), ahead)
    chosen: Names = names[here]
    return chosen


@checked
def moved(before: Names, after: Names) -> float:
    """The share of flows that changed their server.

    Args:
        before: the name of each flow's server,
        after: and the same after a change.
    """
    two_choices(before, after)
    return float((before != after).mean())


@checked
def collateral(before: Names, after: Names) -> float:
    """The share of flows that changed for nothing: from a server that stays, to an old one.

    Args:
        before: the name of each flow's server,
        after: and the same after a change.
    """
    two_choices(before, after)
    stays, is_old = np.isin(before, np.unique(after)), np.isin(after, np.unique(before))
    return float(((before != after) & stays & is_old).mean())


@checked
def unevenness(choice: Names, servers: Sequence[str]) -> float:
    """The load of the busiest server, in units of what each would have if all had the same.

    Args:
        choice: the name of each flow's server.
        servers: names of all that could have been chosen.
    """
    choices_of("choice", choice)
    names_of(servers)
    if strangers := set(choice.tolist()) - set(servers):
        raise LabError(f"{min(strangers)!r} was chosen, and is none of {', '.join(servers)}")
    _, counts = np.unique(choice, return_counts=True)
    return float(counts.max() * len(servers) / len(choice))
