"""What the verifier refuses, in plain words: refusals.toml, and what its entries cannot tell."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from . import access
from .listing import LOOP, Listing, Place
from .rules import Refusal, refusals

Told = tuple[Place | None, str]

# Lines of the verifier's log that say what it had in mind, not what is wrong.
THOUGHTS = re.compile(
    r"processed|verification|stack depth|HINT|lib|cur state|old state|from \d+ to|last_idx|regs=|"
    r"parent|caller|callee|frame\d|mark_precise|R\d+=|R\d+_w=|Running|func#\d|"
    r"bpf: Failed to load|Program too large"
)

NEAR = 2000  # lines of the log's end: of a long one some patterns would take minutes
PARSING = {"parse.h", "parse_ip.h"}  # headers that read for the reader


@dataclass(frozen=True)
class Reason:
    """Why a program was refused.

    Attributes:
        rule: the entry of refusals.toml that says so; empty where none does.
        wrong: what is wrong.
        mend: what usually mends it.
        place: where, if that is known.
    """

    rule: str = ""
    wrong: str = ""
    mend: str = ""
    place: Place | None = None

    def by(self, rule: str, **values: object) -> Reason:
        """The same by another entry; what that does not say stays as it is."""
        entry = refusals()[rule]
        wrong, mend = (text.format(**values) for text in (entry.wrong, entry.mend))
        return replace(self, rule=rule, wrong=wrong or self.wrong, mend=mend or self.mend)

    def __str__(self) -> str:
        return f"{self.wrong}; {self.mend}" if self.rule else ""


def by_its_words(log: str) -> Reason:
    """The reason by what the verifier, or LLVM, said; without a rule where none fits."""
    # Behind an instruction the verifier lists what it knows of each register, which is much.
    steps = [re.sub(r"\s+; .*", "", x) for x in log.splitlines() if not THOUGHTS.match(x)]
    words = "\n".join(steps[-NEAR:])
    for rule in refusals().values():
        if rule.pattern and (found := rule.pattern.search(words)):
            return Reason().by(rule.name, **_values(found))
    return Reason()


def _values(found: re.Match[str]) -> dict[str, object]:
    """What a sentence may name in braces: the groups, and what is reckoned from them."""
    values: dict[str, object] = found.groupdict()
    if {"offset", "size", "proved"} <= values.keys():
        values["beyond"] = int(found["offset"]) + int(found["size"]) - int(found["proved"])
    if {"offset", "size"} <= values.keys():
        values["end"] = int(found["offset"]) + int(found["size"])
    return values


def last_words(log: str) -> list[str]:
    """The last lines in which the verifier says what is wrong, two at most."""
    lines = log.replace("processed ", "\nprocessed ").splitlines()
    return [x for x in lines if re.match(r"[A-Za-z]", x) and not THOUGHTS.match(x)][-2:]


def explain(listing: Listing, log: str, in_time: bool, warned: bool) -> Told:
    """Where the verifier refused a program, and in plain words why.

    Args:
        listing: the program's.
        log: the verifier's.
        in_time: whether it came to an end.
        warned: whether clang had found something suspicious before.

    Returns:
        The place, None where it is not known, and what goes behind it in a sentence.
    """
    reason = reason_of(listing, log, in_time, warned)
    words = str(reason)
    if not words:
        return reason.place, f" with these words: {(last_words(log) or ['none'])[-1]}"
    if listing.language == "libbpf":
        gave = "bpf_ringbuf_reserve()" if "ringbuf_mem_or_null" in log else "bpf_map_lookup_elem()"
        words = words.replace("lookup()", gave)
    if _parses(listing):  # there the packet's end has another name
        words = re.sub(r"(?<!->)data_end", "pkt.end", words)
    return reason.place, f": {words}"


def reason_of(listing: Listing, log: str, in_time: bool, warned: bool) -> Reason:
    """The reason of a refusal; the arguments are those of `explain`."""
    reason = by_its_words(log) if in_time else Reason().by("endless")
    place = listing.of_refusal(log if in_time else "", reason.rule == "too-many-steps")
    place = listing.quoted(log) if reason.rule == "null-given" else place  # another function's
    reason = replace(reason, place=place)
    if "(0 insns)" in log:
        rule = "nothing-left-as-warned" if warned else "nothing-left"
        return replace(reason.by(rule), place=None)
    if reason.rule in CALLS and (call := listing.recursion()):
        return replace(reason.by("recursion", name=call[0]), place=call[1])
    if reason.rule == "cut-off":
        reason = _cut_off(reason, listing, warned)
    elif _parses(listing) and reason.rule == "unknown-place":
        reason = reason.by("behind-parse")
    reason = _on_the_way(reason, listing, log)
    return (
        _unasked(reason, listing, log)
        or _by_the_source(reason, listing)
        or _moved_in_a_loop(reason, listing, log)
        or reason
    )


def _parses(listing: Listing) -> bool:
    """Whether parse() takes the packet apart, and the reader's C does so nowhere itself."""
    return "parse.h" in listing.headers and "data_end" not in listing.code


def _cut_off(reason: Reason, listing: Listing, warned: bool) -> Reason:
    """clang ends a program where what follows cannot be right, or is nowhere."""
    if call := listing.call_to_nowhere():
        return replace(reason, place=call)
    return reason.by("left-out") if warned else reason


PACKET = {"too-little-proved", "unknown-place", "not-proved", "packet", "behind-parse"}
# What is said of a program whose function calls itself; how far clang unrolls that varies.
CALLS = {"cut-off", "own-function", "too-many-steps", "endless-loop", "endless", "stack-full", ""}
LENGTHS = {"unknown-size", "zero-length", "beyond-a-variable"}


def _on_the_way(reason: Reason, listing: Listing, log: str) -> Reason:
    """By what the verifier knew on its way there."""
    if reason.rule in PACKET:
        rule, values, met = access.told(log)
        sign = r"[=!]=" if rule == "compared-by-equality" else r"[<>](?!>|<)"
        place = listing.comparing(met, sign) if met else None
        if f"{rule}-in-a-loop" in refusals() and listing.in_a_loop(reason.place):
            rule += "-in-a-loop"
        line = place or ("a comparison" if rule == "wrong-side" else "it")
        return reason.by(rule, line=line, **values) if rule else reason
    if reason.rule == "reworked" and (steps := access.way(log)):
        register = re.findall(r"(R\d+) bitwise operator", log)[-1]
        return reason.by("index-by-or") if access.is_of_the_stack(steps, register) else reason
    helper = access.helper_of(steps := access.way(log)) if reason.rule in LENGTHS else ""
    if helper and not helper.startswith("bpf_map_"):  # their lengths are the map's
        pointer = re.search(r"stack R(\d+)", log)
        if not pointer or not access.is_constant(steps, f"R{int(pointer[1]) + 1}"):
            kind = "helper-unknown-length" if helper == "bpf_csum_diff" else "length-unknown"
            return reason.by(kind, helper=helper)
    return reason


def _unasked(reason: Reason, listing: Listing, log: str) -> Reason | None:
    """parse() is blamed for what the program did not ask.

    clang trusts a pointer that is read, and leaves out those ways through parse() that end at NULL.
    Older verifiers then see the loop over VLAN tags without its end.
    """
    if reason.place and reason.place.file in PARSING and "invalid access to packet" in log:
        return reason.by("unasked-in-parse")
    if "parse.h" in listing.headers and reason.rule == "endless-loop":
        return None if LOOP.search(listing.code) else replace(reason.by("unasked"), place=None)
    return None


def _by_the_source(reason: Reason, listing: Listing) -> Reason | None:
    """By the entries that look at the reader's C as well: what was noticed only later, and why."""
    for rule in refusals().values():
        if reason.rule in (rule.of or []) and (found := _closer(reason, rule, listing)):
            return found
    return None


def _closer(reason: Reason, rule: Refusal, listing: Listing) -> Reason | None:
    """By one such entry, if it fits."""
    if rule.line and reason.place and rule.line.search(reason.place.text):
        return reason.by(rule.name)
    if rule.sign is None:
        return None
    asked = re.findall(r"if \(!?(\w+)\b", listing.code)
    for name in dict.fromkeys(asked) if "NAME" in rule.sign.pattern else [""]:
        if place := listing.only(rule.sign.pattern.replace("NAME", name)):
            found = reason.by(rule.name, line=place, name=name)
            is_told = "{line}" in rule.wrong + rule.mend
            return found if is_told else replace(found, place=place)
    return None


def _moved_in_a_loop(reason: Reason, listing: Listing, log: str) -> Reason | None:
    """In a loop clang moves a comparison, or works out a place anew, and the proof is gone."""
    if reason.rule == "data-end-used" and LOOP.search(listing.code):
        return reason.by("in-a-loop").by("turned-round")
    if reason.rule == "reworked" and LOOP.search(listing.code):
        return reason.by("in-a-loop").by("reworked-in-a-loop")
    # Whoever has both, a barrier and a proof, has only proved too little.
    proved = re.search(r"invalid access .*r=[1-9]\d*\)", log) and "barrier_var" in listing.code
    if reason.rule in PACKET and not proved and listing.in_a_loop(reason.place):
        return reason.by("in-a-loop")
    return None
