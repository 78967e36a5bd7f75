"""What a map is, as the C describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..libbpf.maps import MapTypes

# enum bpf_map_type, linux/bpf.h
HASH, ARRAY, PROG_ARRAY, PERF_ARRAY, PERCPU_HASH, PERCPU_ARRAY, STACK_TRACE = range(1, 8)
LRU_HASH, LRU_PERCPU_HASH, LPM_TRIE, ARRAY_OF_MAPS, HASH_OF_MAPS, DEVMAP = range(9, 15)
CPUMAP, XSKMAP, QUEUE, STACK, RINGBUF = 16, 17, 22, 23, 27

PER_CPU = {PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH}
ARRAYS = {ARRAY, PERCPU_ARRAY}  # they have all their elements from the beginning, and keep them
MAPS_OF_MAPS = {ARRAY_OF_MAPS, HASH_OF_MAPS}
QUEUES = {QUEUE, STACK}
# An array of places, of which each is empty until something is put there.
PLACES = {PROG_ARRAY, ARRAY_OF_MAPS, DEVMAP, CPUMAP}
# Their keys are the numbers of places, from 0 on.
NUMBERED = ARRAYS | PLACES | {XSKMAP}
# Their entries are data, which a program writes.
DATA = {HASH, PERCPU_HASH, LRU_HASH, LRU_PERCPU_HASH, LPM_TRIE} | ARRAYS


class Kind(NamedTuple):
    """What is special about a kind of map.

    Attributes:
        words: what it is.
        use: how it is used, as the end of a sentence about it.
        reads: whether the kernel tells what is in it.
    """

    words: str
    use: str = ""
    reads: bool = False


_ELSEWHERE = "no XDP program reads or writes it; keep what you count in a hash or an array"
_GONE = (
    "what a program puts there goes to whoever listens, and the lab does not; to see it here, "
    "put it in a ring buffer (BPF_RINGBUF_OUTPUT in BCC's C), whose read() takes it"
)
_TAKEN = (
    "what is in it cannot be read without taking it out: pop() takes the next one, peek() looks "
    "at that one alone, push(value) adds one"
)

KINDS = {
    HASH: Kind("a hash", reads=True),
    ARRAY: Kind("an array", reads=True),
    PROG_ARRAY: Kind("an array of programs", "a place takes a Program", reads=True),
    PERF_ARRAY: Kind("an array of perf rings", _GONE),
    PERCPU_HASH: Kind("a per-CPU hash", reads=True),
    PERCPU_ARRAY: Kind("a per-CPU array", reads=True),
    STACK_TRACE: Kind("a map of stack traces", _ELSEWHERE),
    8: Kind("an array of cgroups", _ELSEWHERE),
    LRU_HASH: Kind("an LRU hash", reads=True),
    LRU_PERCPU_HASH: Kind("a per-CPU LRU hash", reads=True),
    LPM_TRIE: Kind("an LPM trie", reads=True),
    ARRAY_OF_MAPS: Kind("an array of maps", "a place takes a map like its inner one", reads=True),
    HASH_OF_MAPS: Kind("a hash of maps", "an entry takes a map like its inner one", reads=True),
    DEVMAP: Kind("a device map", "a place takes an interface such as net.middle.eth1", reads=True),
    15: Kind("a map of sockets", _ELSEWHERE),
    CPUMAP: Kind("a CPU map", "a place takes how many packets may wait for its CPU", reads=True),
    XSKMAP: Kind("a map of AF_XDP sockets", "a place takes such a socket, and does not tell which"),
    18: Kind("a hash of sockets", _ELSEWHERE),
    QUEUE: Kind("a queue", _TAKEN),
    STACK: Kind("a stack", _TAKEN),
    25: Kind("a hash of devices", "an entry takes an interface by its number", reads=True),
    30: Kind("a bloom filter", "a program asks it, and nobody lists what is in it"),
    RINGBUF: Kind("a ring buffer", "read() takes the records that programs have put there"),
}


@dataclass(frozen=True)
class MapPlan:
    """A map as the C describes it, with the types of its keys and values as BCC writes them."""

    name: str
    kind: int
    key: str
    leaf: str
    key_size: int
    leaf_size: int
    entries: int
    flags: int
    types: MapTypes

    @property
    def about(self) -> Kind:
        """What is special about its kind."""
        return KINDS.get(self.kind, Kind(f"a map of kind {self.kind}", _ELSEWHERE))
