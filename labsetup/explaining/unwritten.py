"""Bytes that a program hands to the kernel, and that nothing in it has written.

Since Linux 6.4 a privileged program may hand over such bytes of its stack (commit 6715df8d5d24);
what lay there before then makes two keys of one flow.  A record of a ring buffer is not empty
either when it is reserved.  So the program's instructions are followed here, along all their paths.

Where a variable is written on some paths alone, the verifier is asked whether another path leads
to the call: a copy of the program notes each write, and does at the call what is never allowed if
none is noted.  Nothing is said that is not certain.

Sources: linux/bpf.h, Documentation/bpf/standardization/instruction-set.rst.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..libbpf.programs import CALL, LOAD_64, PSEUDO_MAP_FD
from .steps import STACK, Step, following, noting, steps_of, targets

# Bit 0 of a mask is the lowest byte of the stack, 512 below the frame's end.
ALL = (1 << STACK) - 1
SIZES = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}  # by opcode & 0x18
KEY, VALUE = "key", "value"
RESERVE, SUBMIT = 131, 132

# What a helper reads, by its number: the register that points there, and what tells the length.
READS: dict[int, list[tuple[int, str | int]]] = {
    1: [(2, KEY)],  # map_lookup_elem
    2: [(2, KEY), (3, VALUE)],  # map_update_elem
    3: [(2, KEY)],  # map_delete_elem
    25: [(4, 5)],  # perf_event_output
    28: [(1, 2), (3, 4)],  # csum_diff
    69: [(2, 3)],  # fib_lookup, which writes there as well
    84: [(2, 3)],  # sk_lookup_tcp
    85: [(2, 3)],  # sk_lookup_udp
    87: [(2, VALUE)],  # map_push_elem
    99: [(2, 3)],  # skc_lookup_tcp
    130: [(2, 3)],  # ringbuf_output
    190: [(3, 4)],  # xdp_store_bytes
    195: [(2, KEY)],  # map_lookup_percpu_elem
}
WRITES = {4: (1, 2), 26: (3, 4), 113: (1, 2), 189: (3, 4)}  # probe_read, load_bytes and their kin


class Address(NamedTuple):
    """What a register may point to: of the stack, or of the record reserved at an instruction."""

    record: int | None
    offset: int | None  # None where it depends on a number


class Map(NamedTuple):
    file: int


Value = Address | Map | int | None  # an int is a constant; None is anything else


@dataclass(frozen=True)
class Unwritten:
    """Bytes that one instruction hands over.

    Attributes:
        at: the call.
        helper: which one, as linux/bpf.h numbers them.
        part: ``"key"``, ``"value"``, or empty for something else.
        file: the map's descriptor; -1 where there is none.
        size: of all that it hands over there, in bytes.
        missing: numbers of the bytes that were not written.
        ever: whether some path writes them.
        where: bytes from the stack's lowest on; -1 for a record.
        parts: of what is handed over: where each begins and ends, and its name, empty for a hole.
    """

    at: int
    helper: int
    part: str
    file: int
    size: int
    missing: list[int]
    ever: bool = False
    where: int = -1
    parts: Sequence[tuple[int, int, str]] = ()


@dataclass
class State:
    """What is known before an instruction."""

    registers: list[Value]
    stack: int = 0  # its bytes that have been written, a bit each
    records: dict[int, int] = field(default_factory=dict)  # likewise, by where they were reserved
    spilled: dict[int, Value] = field(default_factory=dict)

    def copy(self) -> State:
        return State([*self.registers], self.stack, {**self.records}, {**self.spilled})


class _Strange(Exception):
    """Something that is not followed here, such as a call of another function."""


def unwritten(
    code: bytes,
    sizes: Mapping[int, tuple[int, int]],
    refuses: Callable[[bytes], bool],
) -> list[Unwritten]:
    """Find them.

    Args:
        code: a program's, which the verifier has accepted.
        sizes: of a key and of a value of each map, in bytes, by its descriptor.
        refuses: whether the verifier refuses another program, for reading at a number.
    """
    steps = steps_of(code)
    try:
        surely = _Walk(steps, sizes, both=int.__and__)
        maybe = _Walk(steps, sizes, both=int.__or__) if surely.found else surely
    except _Strange:
        return []
    found = []
    for key, one in surely.found.items():
        if key in maybe.found:
            found.append(maybe.found[key])
        elif one.where >= 0:
            byte = one.where + one.missing[0]
            copy = noting(steps, maybe.writes, byte, one.at, maybe.lowest)
            if copy and refuses(copy):
                found.append(replace(one, ever=True))
    return found


class _Walk:
    """All instructions, along all paths.

    Attributes:
        found: what is handed over unwritten, by the call and the register that points there.
        writes: which bytes of the stack each instruction may write.
        lowest: the lowest byte of the stack that is used.
    """

    def __init__(
        self,
        steps: list[Step],
        sizes: Mapping[int, tuple[int, int]],
        both: Callable[[int, int], int],
    ) -> None:
        self._steps, self._sizes, self._both = steps, sizes, both
        self.found: dict[tuple[int, int], Unwritten] = {}
        self.writes: dict[int, int] = {}
        self.lowest = STACK
        self._reserved: dict[int | None, int] = {}  # bytes of each record
        self._at = 0
        self._patience = 100_000  # instructions; the lab's largest program takes 5,000
        met = {target for at, step in enumerate(steps) for target in targets(at, step)}
        before = {0: State([*[None] * 10, Address(None, STACK)])}
        waiting = [0]
        while waiting:
            self._at = waiting.pop()
            state = before[self._at].copy()
            while True:
                self._patience -= 1
                if not self._patience:
                    raise _Strange
                ways = self._after(state)
                if len(ways) != 1 or ways[0] in met:
                    break
                self._at = ways[0]
            for target in ways:
                known = before.get(target)
                joined = self._joined(known, state) if known else state.copy()
                if joined != known:
                    before[target] = joined
                    waiting.append(target)

    def _joined(self, one: State, other: State) -> State:
        """What is known where two paths meet."""
        records = {
            number: self._both(one.records.get(number, mask), other.records.get(number, mask))
            for number, mask in {**one.records, **other.records}.items()
        }
        spilled = {at: v for at, v in one.spilled.items() if other.spilled.get(at) == v}
        stack = self._both(one.stack, other.stack)
        joined = State([*one.registers], stack, records, spilled)
        for number, (a, b) in enumerate(zip(one.registers, other.registers, strict=True)):
            if a != b:
                joined.registers[number] = self._lost(joined, a) or self._lost(joined, b)
        return joined

    def _lost(self, state: State, value: Value) -> Value:
        """What remains of an address that cannot be followed any further."""
        if not isinstance(value, Address):
            return None
        if value.record is None:
            return Address(None, None)
        state.records[value.record] = -1  # whatever is not seen may write all of it
        return None

    def _write(self, state: State, value: Value, offset: int, size: int | None) -> None:
        """Note that bytes are written; with no size, it may be all from there on."""
        if not isinstance(value, Address):
            return
        if value.record is not None:
            begin = (value.offset or 0) + offset
            mask = -1 if size is None else ((1 << size) - 1) << begin
            state.records[value.record] = state.records.get(value.record, 0) | mask
            return
        begin = 0 if value.offset is None else value.offset + offset
        whole = size is None or value.offset is None
        mask = (ALL if whole else (1 << (size or 0)) - 1) << begin & ALL
        state.stack |= mask
        self.writes[self._at] = self.writes.get(self._at, 0) | mask
        self.lowest = min(self.lowest, begin)
        end = STACK if whole else begin + (size or 0)
        for slot in [slot for slot in state.spilled if begin - 8 < slot < end]:
            del state.spilled[slot]

    def _after(self, state: State) -> list[int]:
        """Do one instruction; where it may go from there."""
        step = self._steps[self._at]
        registers = state.registers
        kind = step.opcode & 7
        if kind in {1, 2, 3}:
            self._move(state, step, kind)
        elif step.opcode == LOAD_64:
            is_map = step.src == PSEUDO_MAP_FD
            registers[step.dst] = Map(step.number) if is_map else None
        elif kind in {4, 7}:
            registers[step.dst] = self._reckoned(state, step)
        elif step.opcode == CALL:
            if step.src == 1:
                raise _Strange
            self._call(state, step.number if step.src == 0 else -1)
        elif kind == 0:  # the old loads from packets, which answer in r0
            registers[0] = None
        return targets(self._at, step) or following(self._at, step)

    def _move(self, state: State, step: Step, kind: int) -> None:
        """From memory, or into it."""
        registers = state.registers
        size = SIZES[step.opcode & 0x18]
        if kind == 1:
            source = registers[step.src]
            registers[step.dst] = None
            if isinstance(source, Address) and source.record is None and source.offset is not None:
                registers[step.dst] = state.spilled.get(source.offset + step.offset)
            return
        if step.opcode & 0xE0 == 0xC0:  # atomic, which may give back what was there
            registers[step.src] = registers[0] = None
            return
        target = registers[step.dst]
        self._write(state, target, step.offset, size)
        given = registers[step.src] if kind == 3 else None
        if isinstance(target, Address) and target.record is None and target.offset is not None:
            if size == 8 and given is not None:
                state.spilled[target.offset + step.offset] = given
        else:
            self._lost(state, given)

    def _reckoned(self, state: State, step: Step) -> Value:
        what, wide = step.opcode & 0xF0, step.opcode & 7 == 7
        old = state.registers[step.dst]
        other = state.registers[step.src] if step.opcode & 8 else step.number
        if what == 0xB0:
            if step.offset:  # it extends the sign
                return None
            return other if wide or isinstance(other, int) else None
        if wide and what in {0x00, 0x10} and isinstance(other, int):
            change = other if what == 0x00 else -other
            if isinstance(old, int):
                return old + change
            if isinstance(old, Address) and old.offset is not None:
                return Address(old.record, old.offset + change)
        if wide and what == 0x00 and isinstance(other, Address) and isinstance(old, int):
            return Address(other.record, None if other.offset is None else other.offset + old)
        return self._lost(state, old) or (self._lost(state, other) if step.opcode & 8 else None)

    def _call(self, state: State, helper: int) -> None:
        registers = state.registers
        reads = READS.get(helper, [])
        file = next((one.file for one in registers[1:3] if isinstance(one, Map)), -1)
        for pointer, length in reads:
            value = registers[pointer]
            key, leaf = self._sizes.get(file, (0, 0))
            size = registers[length] if isinstance(length, int) else {KEY: key, VALUE: leaf}[length]
            part = length if isinstance(length, str) else ""
            if isinstance(value, Address) and isinstance(size, int):
                self._reads(
                    state, value, pointer, Unwritten(self._at, helper, part, file, size, [])
                )
        if helper == SUBMIT and isinstance(record := registers[1], Address):
            size = self._reserved.get(record.record, 0)
            self._reads(state, record, 1, Unwritten(self._at, helper, "", -1, size, []))
        if helper in WRITES:
            pointer, number = WRITES[helper]
            size = registers[number]
            self._write(state, registers[pointer], 0, size if isinstance(size, int) else None)
        known = {pointer for pointer, _ in reads if helper != 69}
        for number in range(1, 6):
            if number not in known and helper not in WRITES:
                self._write(state, registers[number], 0, None)
        reserved = registers[2]
        registers[:6] = [None] * 6
        if helper == RESERVE and isinstance(reserved, int):
            self._reserved[self._at] = reserved
            state.records[self._at] = 0
            registers[0] = Address(self._at, 0)

    def _reads(self, state: State, value: Address, pointer: int, what: Unwritten) -> None:
        self.found.pop((self._at, pointer), None)
        if value.offset is None:
            return
        is_stack = value.record is None
        written = state.stack if is_stack else state.records.get(value.record or 0, -1)
        self.lowest = min(self.lowest, value.offset) if is_stack else self.lowest
        missing = [n for n in range(what.size) if not written >> (value.offset + n) & 1]
        if missing:
            where = value.offset if is_stack else -1
            self.found[self._at, pointer] = replace(what, missing=missing, where=where)
