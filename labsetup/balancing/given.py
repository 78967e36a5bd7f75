"""What the functions of hashing.py are given, and what is wrong with it."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import shown
from ..errors import LabError


def hashes_of(given: NDArray[Any]) -> NDArray[np.uint64]:
    """Hashes, as `flow_hash` gives them."""
    if given.ndim != 1 or given.dtype != np.uint64:
        raise LabError(
            f"hashes are a row of numbers of type uint64, as flow_hash(flows) gives them, not "
            f"{described(given)}"
        )
    return given


def described(given: NDArray[Any]) -> str:
    kind = "flows" if given.dtype.names else f"type {given.dtype}"
    return f"an array of {kind} in the shape {given.shape}"


def names_of(servers: Sequence[str]) -> NDArray[np.str_]:
    """Servers' names, each of them once, and at least one."""
    if not len(servers):
        raise LabError("there are no servers to choose from; name one, as in ['s1', 's2']")
    if twice := [name for name, times in Counter(servers).items() if times > 1]:
        raise LabError(f"{twice[0]!r} stands in the list of servers twice; name each once")
    return np.array(servers)


def choices_of(what: str, given: NDArray[Any]) -> None:
    if given.ndim != 1 or not given.size or given.dtype.kind not in "UO":
        raise LabError(
            f"{what} is the name of each flow's server, as modulo(hashes, servers) gives them, "
            f"not {described(given)}"
        )


def two_choices(before: NDArray[Any], after: NDArray[Any]) -> None:
    choices_of("before", before)
    choices_of("after", after)
    if before.size != after.size:
        raise LabError(
            f"before has {before.size:,} flows and after {after.size:,}; compare the same flows"
        )


def key_of(key: Any) -> tuple[int, int]:
    """A hash's key: two words of 64 bits."""
    words = [int(one) for one in key] if isinstance(key, Iterable) else []
    if len(words) != 2 or not all(0 <= word < 2**64 for word in words):
        raise LabError(f"a key is two numbers of 64 bits, such as (2024, 204), not {shown(key)}")
    return words[0], words[1]


def network_of(clients: str, ipv6: bool) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """The network that clients come from."""
    try:
        network = ipaddress.ip_network(clients)
    except ValueError as error:
        raise LabError(f"clients are a network such as '203.0.113.0/24': {error}") from None
    if (network.version == 6) != ipv6:
        raise LabError(f"{clients} is a network of IPv{network.version}; set ipv6={not ipv6}")
    return network
