"""What libbpf objects to before the verifier has a word, in plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..libbpf.unmade import Plan, why_unmade
from .clang import mend_of
from .listing import Listing

SENTENCES = (
    (
        r"symbol '(\w+)' is already defined",
        'a section and a function are both called {}: an XDP program stands in SEC("xdp")',
    ),
    (
        r"legacy map definitions in '?maps'? section",
        'struct bpf_map_def with SEC("maps") is gone since libbpf 1.0; write struct {{ '
        "__uint(type, BPF_MAP_TYPE_…); __uint(max_entries, …); __type(key, …); "
        '__type(value, …); }} name SEC(".maps")',
    ),
    (
        r"map '(\w+)': map type isn't specified",
        "its map {} does not say what it is; write __uint(type, BPF_MAP_TYPE_HASH), or another",
    ),
    (
        r"map '(\w+)': can't determine (key|value) size",
        "how large a {1} of its map {0} is cannot be known: its type is named, and described "
        "nowhere; write down the struct, or include the header that has it",
    ),
    (
        r"map '(\w+)': attr '(\w+)': expected (?:PTR|ARRAY)",
        "in its map {0} {1} is written with the wrong word; __uint({1}, …) is for a number, and "
        "__type({1}, …) for a type",
    ),
    (
        r"map '(\w+)': invalid pinning value",
        "how its map {} is pinned cannot be known; write __uint(pinning, LIBBPF_PIN_BY_NAME)",
    ),
)
# What can differ between two maps of one name, and how the C writes it down.
DIFFERENT = (
    "another kind, __uint(type, …)",
    "keys of {pinned} bytes where yours has {own}",
    "values of {pinned} bytes where yours has {own}",
    "room for {pinned:,} entries where yours has {own:,}",
    "other flags, __uint(map_flags, …)",
)
PINS = "/sys/fs/bpf"  # where libbpf pins by name
ELSEWHERE = {"other", "helper", "byte-order"}  # undeclared in remarks.toml, and no more is known


def why(log: str, plans: Sequence[Plan], pinned: Mapping[str, Sequence[int]] | None = None) -> str:
    """Why libbpf does not load a program, if the verifier was not asked; else empty.

    Args:
        log: what libbpf said.
        plans: of its maps, as the C describes them.
        pinned: layouts of maps that lie where it pins its own, by name.
    """
    if "BEGIN PROG LOAD LOG" in log:
        return ""
    if "reuse pinned map" in log and (other := _another(plans, pinned or {})):
        return other
    if found := re.search(r"map '([\w.]+)': failed to create: (.+?)(?:\(|$)", log, re.MULTILINE):
        return f"the kernel refused its map {found[1]}: {why_unmade(found[1], found[2], plans)}"
    for pattern, sentence in SENTENCES:
        if found := re.search(pattern, log):
            return sentence.format(*found.groups())
    return ""


def nowhere(name: str, listing: Listing) -> str:
    """What to say of a name that is declared and used, and for which the C has nothing."""
    place = listing.only(rf"^(?!\s*extern\b).*\b{name}\b")
    place = place or listing.only(rf"\b(?:__builtin_)?{name}\b")
    if re.fullmatch(r"put(?:s|char)|\w*printf", name):  # clang writes puts() for a plain printf()
        here = place or listing.only(r"\bprintf\s*\(")
        _, mend = mend_of("printf", "libbpf")
        return f"prints{f' at {here}' if here else ''} as a program of user space does; {mend}"
    at = f" at {place}" if place else ""
    rule, mend = mend_of(name, "libbpf")
    if rule not in ELSEWHERE:
        return f"uses {name}(){at}, which is nowhere; {mend}"
    return (
        f"uses {name}{at}, which is declared and stands nowhere; the "
        "kernel's own functions are not called here: write it down, or check its spelling"
    )


def _another(plans: Sequence[Plan], pinned: Mapping[str, Sequence[int]]) -> str:
    """What to say of a pinned map that is not as the C has it; empty if each is."""
    for plan in plans:
        own = (plan.kind, plan.key_size, plan.leaf_size, plan.entries, plan.flags)
        pairs = [*zip(DIFFERENT, pinned.get(plan.name, own), own, strict=True)]
        if found := [words.format(pinned=a, own=b) for words, a, b in pairs if a != b]:
            return (
                f"a map {plan.name} is pinned already, with {' and '.join(found)}; give yours the "
                "same layout, or another name, or take the old one away with all that it counted: "
                f"!rm {PINS}/{plan.name}"
            )
    return ""


def refused_function(log: str) -> str:
    """The function that the verifier refused, by libbpf's words; empty where it does not tell."""
    found = re.search(r"prog '(\w+)': BPF program load failed", log)
    return found[1] if found else ""


# Sections of other kinds of programs; <https://docs.kernel.org/bpf/libbpf/program_types.html>.
OTHERS = re.compile(
    r"^(?:\?|k(?:ret)?probe|u(?:ret)?probe|usdt|tp|tracepoint|raw_tp|raw_tracepoint|fentry|fexit|"
    r"fmod_ret|lsm|iter|perf_event|syscall|cgroup|sk|sock|tc|classifier|action|struct_ops|lwt|"
    r"freplace|flow_dissector|netfilter|lirc|uretprobe|ksyscall)"
)


def of_another_kind(probe: str) -> str:
    """What to say of a function whose section is none of libbpf's; empty if it is one.

    Args:
        probe: such as ``counts, SEC("xpd")``.
    """
    name, _, section = probe.partition(', SEC("')
    section = section.rstrip('")')
    if not section or OTHERS.match(section):
        return ""
    if section == ".text":
        return f'has {name}() in no section; write SEC("xdp") in front of it'
    return (
        f'has {name}() in SEC("{section}"), which is no kind of program that libbpf knows; an XDP '
        'program stands in SEC("xdp")'
    )
