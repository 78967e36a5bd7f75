"""A program's instructions, one by one, and a copy that notes on its way what is written.

Sources: linux/bpf.h, Documentation/bpf/standardization/instruction-set.rst.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..libbpf.programs import CALL, INSTRUCTION, LOAD_64, packed, unpacked

STACK = 512  # bytes
JUMP, EXIT, JUMP_LONG = 0x05, 0x95, 0x06


class Step(NamedTuple):
    opcode: int
    dst: int
    src: int
    offset: int
    number: int


def steps_of(code: bytes) -> list[Step]:
    """All of a program's, with two for a load of 64 bits."""
    return [Step(a, *unpacked(b), c, d) for a, b, c, d in INSTRUCTION.iter_unpack(code)]


def following(at: int, step: Step) -> list[int]:
    if step.opcode == EXIT:
        return []
    return [at + 2 if step.opcode == LOAD_64 else at + 1]


def targets(at: int, step: Step) -> list[int]:
    """Where a jump may lead; empty for what is none."""
    if step.opcode & 7 not in {5, 6} or step.opcode in {CALL, EXIT}:
        return []
    if step.opcode == JUMP:
        return [at + 1 + step.offset]
    if step.opcode == JUMP_LONG:
        return [at + 1 + step.number]
    return [at + 1 + step.offset, at + 1]


def noting(
    steps: list[Step], writes: Mapping[int, int], byte: int, call: int, lowest: int
) -> bytes:
    """A copy that reads at NULL before a call, if on the way there nothing has written a byte.

    Where the stack has no room to note it, the copy is empty.
    """
    slot = (lowest - 8) // 8 * 8 - STACK
    if slot < -STACK:
        return b""
    note = Step(0x7A, 10, 0, slot, 1)  # *(u64 *)(r10 + slot) = 1
    ask = [
        Step(0x79, 0, 10, slot, 0),  # r0 = *(u64 *)(r10 + slot); a call loses r0 anyway
        Step(0x55, 0, 0, 1, 0),  # if (r0 != 0) leave out the next one
        Step(0x79, 0, 0, 0, 0),  # r0 = *(u64 *)r0
    ]
    made = [note._replace(number=0)]
    begins: dict[int, int] = {}  # where the copy has an instruction
    jumps: list[tuple[int, int]] = []  # where it has a jump, and to which of the old ones
    at = 0
    while at < len(steps):
        step = steps[at]
        begins[at] = len(made)
        if at == call:
            made += ask
        for target in targets(at, step)[:1]:
            jumps.append((len(made), target))
        length = 2 if step.opcode == LOAD_64 else 1
        made += steps[at : at + length]
        if writes.get(at, 0) >> byte & 1:
            made.append(note)
        at += length
    for place, target in jumps:
        distance = begins[target] - place - 1
        key = "number" if made[place].opcode == JUMP_LONG else "offset"
        made[place] = made[place]._replace(**{key: distance})
    return b"".join(
        INSTRUCTION.pack(one.opcode, packed(one.dst, one.src), one.offset, one.number)
        for one in made
    )
