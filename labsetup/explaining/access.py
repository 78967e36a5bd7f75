"""What the verifier knew on the way to a read of the packet that it refuses, out of its log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

MOST = 0xFFFF  # bytes: what lies further on, or may, counts as unproved (MAX_PACKET_OFF)

STEP = re.compile(r"^(\d+): \([0-9a-f]{2}\) (.*?)(?:\s*;\s*(R\d.*))?$")
BRANCH = re.compile(r"^from (\d+) to \d+(?: \([^)]*\))?: ?(.*)")
REGISTER = re.compile(r"\b(R\d+)(?:_\w+)?=([\w-]+(?:\((?:[^()]|\([^()]*\))*\))?)")
COMPARED = re.compile(r"if (r\d+) (==|!=|>=|<=|>|<) (r\d+) goto")
REFUSED = re.compile(
    r"invalid access to packet, off=(-?\d+) size=(\d+), (R\d+)\(id=(\d+),off=(-?\d+),r=(\d+)\)"
)
# Of these the register behind that of a place has the length.
LENGTH_BEHIND = {"bpf_csum_diff", "bpf_xdp_store_bytes"}
AWAY = {"==": "!=", "!=": "==", ">": "<=", "<": ">=", ">=": "<", "<=": ">"}
TURNED = {"==": "==", "!=": "!=", ">": "<", "<": ">", ">=": "<=", "<=": ">="}


@dataclass
class Step:
    """An instruction on the way, and what is known of registers before it."""

    number: int
    text: str
    known: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """One of a packet pointer with the packet's end, as it came out.

    Attributes:
        at: the instruction.
        place: what the verifier knew of the pointer: which number was added to it, and what else.
        holds: how the pointer stands to the end on this way.
    """

    at: int
    place: tuple[str, int]
    holds: str


def way(log: str) -> list[Step]:
    """The instructions that lead to the refusal, without the ways that were left."""
    steps: list[Step] = []
    known: dict[str, str] = {}
    for line in log.splitlines():
        if branch := BRANCH.match(line):
            last = max((n for n, x in enumerate(steps) if x.number == int(branch[1])), default=-1)
            del steps[last + 1 :]
            known = dict(REGISTER.findall(branch[2])) or known
        elif step := STEP.match(line):
            steps.append(Step(int(step[1]), step[2], known))
            known = {**known, **dict(REGISTER.findall(step[3] or ""))}
        elif re.match(r"(?:\d+:)? ?R\d+(?:_\w+)?=", line):
            known = {**known, **dict(REGISTER.findall(line))}
            for one in steps[-1:]:
                one.known = {**known, **one.known}
    if steps:
        steps.append(Step(-1, "", known))
    return steps


def comparisons(steps: list[Step]) -> list[Comparison]:
    """Those with the packet's end on the way, in their order."""
    found = []
    for step, following in pairwise(steps):
        if not (compared := COMPARED.match(step.text)):
            continue
        left, sign, right = compared[1].upper(), compared[2], compared[3].upper()
        one, other = step.known.get(left, ""), step.known.get(right, "")
        if following.number == step.number + 1:
            sign = AWAY[sign]
        if one.startswith("pkt_end"):
            one, other, sign = other, one, TURNED[sign]
        if other.startswith("pkt_end") and re.match(r"pkt\b", one):
            place = str(_number(one, "id") or 0), _number(one, "off") or 0
            found.append(Comparison(step.number, place, sign))
    return found


def _number(state: str, name: str) -> int | None:
    """A number that the verifier lists of a register, as in ``smax=umax=255``."""
    found = re.search(rf"\b{name}(?:_value)?=(?:\w+=)*(-?\d+|0x[0-9a-f]+)\b", state)
    return int(found[1], 0) if found else None


def helper_of(steps: list[Step]) -> str:
    """The kernel's function whose call was refused; empty if it was no call."""
    found = re.match(r"call (\w+)#", steps[-2].text) if len(steps) > 1 else None
    return found[1] if found else ""


def is_constant(steps: list[Step], register: str) -> bool:
    """Whether the verifier knew the one number that a register held."""
    return re.fullmatch(r"-?\d+|0x[0-9a-f]+", steps[-1].known.get(register, "")) is not None


def is_of_the_stack(steps: list[Step], register: str) -> bool:
    """Whether a register points to a local variable."""
    return steps[-1].known.get(register, "").startswith("fp")


def told(log: str) -> tuple[str, Mapping[str, object], list[int]]:
    """Why a read of the packet was refused.

    Returns:
        the entry of refusals.toml, empty if there is no closer one; what its sentences may name;
        and the comparisons on the way, with the one that they call the line at the end.
    """
    found = REFUSED.findall(log)
    if not found:
        return "", {}, []
    register, number = found[-1][2:4]
    offset, size, proved = int(found[-1][0]), int(found[-1][1]), int(found[-1][5])
    end = offset + size
    steps = way(log)
    helper = helper_of(steps)
    values: dict[str, object] = {
        "offset": offset,
        "size": size,
        "proved": proved,
        "end": end,
        "before": -offset,
        "helper": helper,
    }
    met = [one for one in comparisons(steps) if one.place[0] == number]
    state = steps[-1].known.get(register, "") if steps else ""
    rule, at = "", -1
    length = f"R{int(register[1:]) + 1}"
    if state.startswith("pkt_meta"):
        rule = "meta-not-compared"
    elif helper in LENGTH_BEHIND and not is_constant(steps, length):
        rule = "helper-unknown-length"
    elif number != "0" and not proved and _reaches(state, number, end):
        rule = "number-too-large"
    elif offset < 0:
        rule = "before-the-packet" if number == "0" else "before-its-place"
    elif number == "0" and end > MOST:
        rule = "beyond-any-packet"
    elif over := [one for one in met if one.holds in {">", ">="} and one.place[1] >= end]:
        rule, at = "wrong-side", over[-1].at
    elif same := [one for one in met if one.holds in {"==", "!="} and one.place[1] >= proved]:
        rule, at = "compared-by-equality", same[-1].at
    elif helper:
        rule = "helper-beyond"
    others = [one.at for one in met if one.at != at]
    return rule, values, [*others, at] if at >= 0 else []


def _reaches(state: str, number: str, end: int) -> bool:
    """Whether what was added to a pointer may lead behind the largest packet."""
    largest = _number(state, "umax")
    is_this = _number(state, "id") == int(number)  # older kernels do not tell it of each step
    return is_this and (largest is None or largest + end > MOST)
