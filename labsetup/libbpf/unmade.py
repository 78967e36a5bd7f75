"""Why the kernel does not make a map, by how libbpf's C describes it.

Sources: kernel/bpf/{arraymap,hashtab,lpm_trie,queue_stack_maps,bloom_filter,map_in_map,devmap}.c,
in each the function that checks what a map is made with; Documentation/bpf/map_*.rst.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Plan(Protocol):
    """What is needed of a map's plan."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> int: ...
    @property
    def entries(self) -> int: ...
    @property
    def key_size(self) -> int: ...
    @property
    def leaf_size(self) -> int: ...
    @property
    def flags(self) -> int: ...


# enum bpf_map_type, linux/bpf.h: those whose size means something else, or nothing.
ARRAYS, RING, NO_TYPE = {2, 3, 4, 6, 12, 13, 14, 16, 17}, 27, 0
LRU, TRIE, OF_MAPS, WITHOUT_KEYS = {9, 10}, 11, {12, 13}, {22, 23, 30}
NUMBERED = ARRAYS - {13}  # an array of maps has numbers for keys, and a hash of maps any
PLACES = {3, 4, 14, 16, 17, 25}  # their values are descriptors, of 4 bytes, or a little more
PAGE, NO_PREALLOC, NUMBER = 4096, 1, 4


def why_unmade(name: str, reason: str, plans: Sequence[Plan]) -> str:
    """What is wrong with a map, and what mends it.

    Args:
        name: the map's.
        reason: the kernel's, in the C library's words.
        plans: the maps, as the C describes them.
    """
    plan = next((one for one in plans if one.name == name), None)
    if plan is None:
        return reason
    kind, key, leaf = plan.kind, plan.key_size, plan.leaf_size
    known = (
        (
            kind == NO_TYPE,
            "it does not say what it is; write __uint(type, BPF_MAP_TYPE_HASH), or another",
        ),
        (reason == "Cannot allocate memory", "this machine has no room for it; give it less"),
        (
            kind == RING and (key or leaf),
            "a ring has neither keys nor values; leave __type(key, …) and __type(value, …) out",
        ),
        (
            kind == RING,
            f"a ring's max_entries are bytes: {PAGE}, or 2, 4, 8 … times that; it has "
            f"{plan.entries}",
        ),
        (
            plan.entries == 0,
            "it has room for 0 entries; write __uint(max_entries, …) with a number of 1 or more",
        ),
        (
            kind in WITHOUT_KEYS and key,
            "queues, stacks and bloom filters have no key; leave __type(key, …) out",
        ),
        (
            kind in NUMBERED and key != NUMBER,
            f"the key of an array is a number of 4 bytes, and this has {key}; write "
            "__type(key, __u32)",
        ),
        (key == 0 and kind not in WITHOUT_KEYS, "it has no key; write __type(key, …)"),
        (leaf == 0 and kind not in OF_MAPS, "it has no value; write __type(value, …)"),
        (
            kind == TRIE and key <= NUMBER,
            f"the key of an LPM trie is a struct: first a __u32, how many bits count, and behind "
            f"it the address; this has {key} bytes in all",
        ),
        (
            kind == TRIE and not plan.flags & NO_PREALLOC,
            "an LPM trie grows as it is filled; write __uint(map_flags, BPF_F_NO_PREALLOC)",
        ),
        (
            kind in LRU and plan.flags & NO_PREALLOC,
            "an LRU map has its memory from the beginning; leave BPF_F_NO_PREALLOC out",
        ),
        (
            kind in OF_MAPS,
            "it does not say what kind of map lies in it; write "
            "__array(values, struct { __uint(type, BPF_MAP_TYPE_HASH); … }) in the place of "
            "__type(value, …)",
        ),
        (
            kind in PLACES and leaf != NUMBER,
            f"its values are of the kernel's own kind, and yours have {leaf} bytes; write "
            "__type(value, __u32)",
        ),
        (
            reason == "Argument list too long",
            "an entry of it is too large, or all together are; a value may have 4 MB, one of a "
            "per-CPU map 32 kB, and all values of an array 4 GB",
        ),
        (key > 512, f"a key may have 512 bytes, and this has {key}"),
        (
            bool(plan.flags),
            f"{reason}; its kind of map may not know all that is in __uint(map_flags, …)",
        ),
        (True, reason),
    )
    return next(words for is_so, words in known if is_so)
