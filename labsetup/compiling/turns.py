"""How long a program of several functions may run.

The verifier bounds what it walks through, a million instructions.  Of a function that is not static
it walks through each by itself, so one that calls another in a loop may take a million times a
million.  Nobody can end it: a run looks at no signal.

Source: Documentation/bpf/verifier.rst; check_func_call() in kernel/bpf/verifier.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..explaining.steps import following, steps_of, targets
from ..libbpf.programs import CALL, PSEUDO_CALL
from .btf import Btf, functions
from .elf import Elf

WALKED = 1_000_000  # instructions: BPF_COMPLEXITY_LIMIT_INSNS, linux/bpf_verifier.h
IN_LOOPS = WALKED // 3  # calls at most: a turn is at least a call, a comparison and a jump
MOST = 30_000_000  # instructions; with all the tail calls that there may be, about a second

Place = tuple[int, int]  # a section, and the byte in it


@dataclass
class _Function:
    """One of the file's.

    Attributes:
        name: in the C.
        is_walked_alone: whether the verifier looks at it by itself, and not with who calls it.
        length: instructions.
        loops: whether it has any.
        calls: of each call where it leads, and whether it stands in a loop.
    """

    name: str
    is_walked_alone: bool
    length: int
    loops: bool
    calls: list[tuple[Place, bool]] = field(default_factory=list)


def loops_of(code: bytes) -> list[tuple[int, int]]:
    """The first and the last instruction of each loop."""
    steps, at, found = steps_of(code), 0, list[tuple[int, int]]()
    while at < len(steps):
        found += [(to, at) for to in targets(at, steps[at])[:1] if to <= at]
        at = max(following(at, steps[at]), default=at + 1)
    return found


def too_long(file: Elf, types: Btf) -> tuple[str, str]:
    """A function that may run for too long, and the one that it calls too often for that.

    Args:
        file: as clang made it.
        types: its own.

    Returns:
        their names; empty ones, where no function may.
    """
    all_of_it = _functions(file, types)
    most: dict[Place, int] = {}
    for place, one in all_of_it.items():
        if one.is_walked_alone and _most(all_of_it, place, most) > MOST:
            calls = _calls(all_of_it, place, {})
            worst = max(calls, key=lambda to: calls[to] * most[to])
            return one.name, all_of_it[worst].name
    return "", ""


def _functions(file: Elf, types: Btf) -> dict[Place, _Function]:
    """Those of a file, by the place where they begin."""
    number = {one.name: place for place, one in enumerate(file.sections)}
    told = functions(file.section(".BTF.ext"), types)
    # The verifier goes by what the types say, and libbpf changes that of what is hidden.
    everybodys = {(number.get(section), byte) for section, byte, is_global in told if is_global}
    found: dict[Place, _Function] = {}
    for one in file.symbols:
        if not (0 < one.section < len(file.sections) and one.size):
            continue
        here, place = file.sections[one.section], (one.section, one.offset)
        if not here.is_code:
            continue
        code = here.data[one.offset : one.offset + one.size]
        alone = not one.is_hidden and (place in everybodys or not one.is_local)
        loops = loops_of(code)
        made = _Function(one.name, alone, len(code) // 8, bool(loops))
        other = found.get(place)  # by another name
        if other and (other.is_walked_alone, other.length) >= (alone, made.length):
            continue
        found[place] = made
        for at, step in enumerate(steps_of(code)):
            if step.opcode == CALL and step.src == PSEUDO_CALL:
                to = _target(file, one.section, one.offset + 8 * at, step.number)
                in_a_loop = any(first <= at <= last for first, last in loops)
                made.calls.append((to, in_a_loop))
    return found


def _target(file: Elf, section: int, byte: int, number: int) -> Place:
    """Where a call leads: its number counts from behind it, or from what it is relocated to."""
    if (place := file.relocations.get((section, byte))) is None:
        return section, byte + 8 * (number + 1)
    return place[0], place[1] + 8 * (number + 1)


def _calls(
    functions: Mapping[Place, _Function], place: Place, known: dict[Place, dict[Place, int]]
) -> dict[Place, int]:
    """How often a function calls those that are walked alone, also by those that are not."""
    if place in known:
        return known[place]
    known[place] = {}  # whoever comes here again calls itself, which the verifier refuses
    found: dict[Place, int] = {}
    for to, in_a_loop in functions[place].calls:
        if to not in functions:  # which libbpf refuses
            continue
        times = IN_LOOPS if in_a_loop else 1
        below = {to: 1} if functions[to].is_walked_alone else _calls(functions, to, known)
        for one, number in below.items():
            found[one] = min(IN_LOOPS, found.get(one, 0) + times * number)
    known[place] = found
    return found


def _length(functions: Mapping[Place, _Function], place: Place, above: tuple[Place, ...]) -> int:
    """Instructions that the verifier walks through for a function, at most."""
    one = functions[place]
    if one.loops:
        return WALKED
    length = one.length
    for to, _ in one.calls:
        if to in functions and to not in above and not functions[to].is_walked_alone:
            length += _length(functions, to, (*above, to))
            if length >= WALKED:
                return WALKED
    return length


def _most(functions: Mapping[Place, _Function], place: Place, known: dict[Place, int]) -> int:
    """Instructions that a function may take with all that it calls; more than MOST is no matter."""
    if place not in known:
        known[place] = 0  # whoever comes here again calls itself, which the verifier refuses
        most = _length(functions, place, (place,))
        for to, times in _calls(functions, place, {}).items():
            most += times * _most(functions, to, known)
        known[place] = most
    return known[place]
