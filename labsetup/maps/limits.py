"""How large a map may be, and why the kernel refuses one.

Sources: kernel/bpf/{hashtab,arraymap,lpm_trie,ringbuf,stackmap}.c, in each the function that checks
what a map is made with; Documentation/bpf/map_*.rst.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import LabError
from ..libbpf.maps import possible_cpus
from .plan import (
    ARRAYS,
    DATA,
    HASH_OF_MAPS,
    LPM_TRIE,
    PER_CPU,
    QUEUES,
    RINGBUF,
    STACK_TRACE,
    MapPlan,
)

SHARE = 4  # a program's maps get this part of the machine's memory
NO_PREALLOC = 1  # BPF_F_NO_PREALLOC: a hash takes memory for the entries that it has
ENTRY = 48  # bytes of the kernel's own for an entry of a hash: struct htab_elem
BUCKET = 24  # of a map of stack traces: struct stack_map_bucket
# Beside each byte of a per-CPU value that all CPUs have, the kernel keeps two of its own, to know
# whose it is: struct pcpuobj_ext, 8 bytes for 4, mm/percpu-internal.h.  Its own account is without.
OWNERS = 2
PAGE = 4096
AT_ONCE = "as soon as it is loaded"

# What declares a map in BCC's C; the name of the map is the first argument, or behind the types.
DECLARATION = re.compile(r"\b(BPF_[A-Z_]+)\s*\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)\s*;")
NUMBER = re.compile(r"((0x)[\da-f]+|\d+)[ul]*", re.IGNORECASE)


def _eights(size: int) -> int:
    return -(-size // 8) * 8


def taken(plan: MapPlan, when_full: bool = False) -> int:
    """Bytes of memory that a map takes.

    Args:
        plan: the map.
        when_full: in the end, and not from the beginning, whatever comes into it later.
    """
    copies = possible_cpus() + OWNERS if plan.kind in PER_CPU else 1
    value = _eights(plan.leaf_size) * copies + (8 if plan.kind in PER_CPU else 0)
    if plan.kind == RINGBUF:
        return plan.entries
    if plan.kind in ARRAYS | QUEUES:
        return plan.entries * value
    if plan.kind == STACK_TRACE:
        return plan.entries * (BUCKET + value)
    if plan.kind in (DATA | {HASH_OF_MAPS}) - {LPM_TRIE}:
        buckets = 16 << (plan.entries - 1).bit_length()
        entry = ENTRY + _eights(plan.key_size) + value
        later = plan.flags & NO_PREALLOC and not when_full
        return buckets + (0 if later else plan.entries * entry)
    if plan.kind == LPM_TRIE:  # a node for each prefix, and up to as many between them
        return plan.entries * 2 * (ENTRY + plan.key_size + value) if when_full else 0
    return 8 * plan.entries


@cache
def memory() -> int:
    """Bytes of memory that this machine has; proc_meminfo(5)."""
    return int(Path("/proc/meminfo").read_text().split()[1]) * 1024


def check(plans: Iterable[MapPlan], strangers: bool = False) -> None:
    """See that a program's maps leave room for everything else.

    Args:
        plans: the maps.
        strangers: whether the program is somebody else's, which may fill them.

    Raises:
        LabError: when they take more than a quarter of the machine's memory.
    """
    # Not by their names, of which the kernel knows the first 15 letters alone.
    sizes = [(taken(plan, when_full=strangers), plan.name) for plan in plans]
    whole = sum(size for size, _ in sizes)
    if whole > memory() // SHARE:
        _, worst = max(sizes, key=lambda one: one[0])
        raise _too_large(worst, whole, "when full" if strangers else AT_ONCE)


def _too_large(name: str, size: int, when: str) -> LabError:
    return LabError(
        f"map {name} is too large: the program's maps would take {size / 1e9:.1f} GB {when}, "
        f"and the lab gives them a quarter of this machine's memory, "
        f"{memory() / SHARE / 1e9:.1f} GB; give {name} fewer entries"
    )


@dataclass(frozen=True)
class Declared:
    """A map as it stands in the C.

    Attributes:
        text: all of it.
        macro: what declares it.
        words: what stands between the parentheses.
        entries: how many, or of a ring how many pages; None where that cannot be read.
    """

    text: str
    macro: str
    words: tuple[str, ...]
    entries: int | None

    @property
    def name(self) -> str:
        """The map's; the macros with TABLE have the types before it."""
        return self.words[min(3 if "TABLE" in self.macro else 0, len(self.words) - 1)]


def declared(source: str) -> list[Declared]:
    """The maps that C declares with BCC's macros."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", source, flags=re.DOTALL)
    defined = dict(re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+(.+?)[ \t]*$", text, re.M))
    found = []
    for one in DECLARATION.finditer(text):
        words = tuple(word.strip() for word in one[2].split(","))
        numbers = [n for word in words[1:] if (n := _number(word, defined)) is not None]
        found.append(Declared(one[0], one[1], words, numbers[0] if numbers else None))
    return found


def _number(word: str, defined: dict[str, str]) -> int | None:
    """A number as C writes it: digits, a product or a shift of them, perhaps by a name."""
    plain = re.sub(r"[A-Za-z_]\w*", lambda name: defined.get(name[0], name[0]), word)
    number = 1
    for factor in re.sub(r"[()\s]", "", plain).split("*"):
        base, _, shift = factor.partition("<<")
        parts = [NUMBER.fullmatch(part) for part in (base, shift or "0")]
        if not (parts[0] and parts[1]):
            return None
        value, by = (int(part[1], 16 if part[2] else 10) for part in parts if part)
        number *= value << min(by, 64)
    return number


def check_declared(source: str) -> None:
    """Look at the C before the kernel makes its maps: the largest would take all memory at once.

    Raises:
        LabError: when a map alone takes more than a quarter of the machine's memory.
    """
    for one in declared(source):
        entries = (one.entries or 0) % 2**32  # as the kernel takes the number
        percpu = possible_cpus() if "PERCPU" in one.macro or '"percpu' in one.text else 1
        if "RINGBUF" in one.macro:
            least = entries * PAGE % 2**32
        elif "LPM" in one.macro or "NO_PREALLOC" in one.text:
            least = 0
        elif "HASH" in one.macro or "hash" in one.words[0]:
            least = entries * (ENTRY + 8 + 8 * percpu)
        else:
            least = entries * 8 * percpu
        if least > memory() // SHARE:
            raise _too_large(one.name, least, AT_ONCE)


def refused(source: str, log: str) -> str:
    """Why the kernel refused a map, and what to do; empty where it refused none.

    Args:
        source: the C.
        log: what BCC said.
    """
    found = re.search(r"could not open bpf map: (\w+), error: (.+)", log)
    if not found:
        return ""
    name, reason = found.groups()
    of_it = [one for one in declared(source) if one.name == name]
    line = f" «{' '.join(of_it[0].text.split())}»" if of_it else ""
    return f"the kernel refused its map {name}{line}: {_why(of_it, name, reason)}"


def _why(of_it: list[Declared], name: str, reason: str) -> str:
    macro, entries = (of_it[0].macro, of_it[0].entries) if of_it else ("", None)
    known = (
        (reason == "Cannot allocate memory", "this machine has no room for it; give it less"),
        ("RINGBUF" in macro, "a ring has 1, 2, 4 or another power of two of pages, to 524,288"),
        (entries == 0, "it has room for 0 entries; give it 1 or more"),
        (
            reason == "Argument list too long",
            "an entry of it is too large, or all together are; a value may have 4 MB, one of a "
            "per-CPU map 32 kB, and all values of an array 4 GB",
        ),
        (
            "LPM" in macro,
            "the key of an LPM trie is a struct: first a u32, how many bits count, and behind it "
            "the address, 1 to 256 bytes",
        ),
        (
            bool(of_it) and "array" in of_it[0].words[0],
            "the key of an array is a number of 4 bytes; make it a u32 or an int",
        ),
        (True, f"{reason}; a key may have 512 bytes, and a ring is sized in pages"),
    )
    return next(words for is_so, words in known if is_so)
