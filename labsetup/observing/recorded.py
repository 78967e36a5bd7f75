"""A record of every packet that a program met, as bpf/capture.c tells it."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, overload
from weakref import WeakKeyDictionary

from scapy.layers.l2 import Ether
from scapy.packet import Packet

from ..arguments import checked
from ..errors import LabError, Nameable
from ..network.session import current
from ..packets.captures import at, write
from ..programs.program import Program
from ..programs.run import VERDICTS
from .rings import Rings


@dataclass(frozen=True)
class Fate:
    """A packet that met a program, and what became of it.

    Attributes:
        time: seconds since boot, when the program took it.
        verdict: such as ``"XDP_DROP"``.
        interface: where it came in, by its number on its host.
        before: the frame as it came.
        after: the frame as the program left it.
    """

    time: float
    verdict: str
    interface: int
    before: bytes
    after: bytes

    @property
    def packet(self) -> Packet:
        """The frame as it came, as scapy reads it."""
        return Ether(self.before)

    def __repr__(self) -> str:
        return f"{self.verdict:12}  {self.packet.summary()}"


NOT_BEGUN = "this record was not begun; use it as in: with record(program) as seen:"


class Record(Nameable, Sequence[Fate]):
    """Every packet that a program met while the block ran, dropped ones included.

    Attributes:
        lost: packets that were met and not recorded, because the ring was full.
    """

    def __init__(self, program: Program) -> None:
        if not isinstance(program, Program):
            raise LabError(f"record() takes a program, not {type(program).__name__}")
        if not program.captures:
            name = repr(program.name) if program.path else program.name
            raise LabError(
                f"{program.name} was loaded without its capture; type: "
                f"Program({name}, capture=True), and attach that one"
            )
        self.program = program
        self._fates: list[Fate] = []
        self.lost = 0
        self._begun: int | None = None
        self._over = False
        self._recorder = _recorder_of(program)

    def start(self) -> Record:
        """Record from now on."""
        self._begun, self._over = self._recorder.begin(self), False
        return self

    def stop(self) -> Record:
        """Read what is in the rings, in order of time."""
        if self._begun is None:
            raise LabError(NOT_BEGUN)
        self._over = True
        events, met = self._recorder.end(self)
        waiting: dict[int, _Event] = {}
        for event in events:
            if event.verdict == NOT_YET:
                waiting[event.cpu] = event
            elif event.cpu in waiting:
                begun = waiting.pop(event.cpu)
                known = event.verdict < len(VERDICTS)
                name = VERDICTS[event.verdict] if known else f"{event.verdict}"
                fate = Fate(begun.time, name, begun.interface, begun.frame, event.frame)
                self._fates.append(fate)
        self._fates.sort(key=lambda fate: fate.time)
        self.lost = met - self._begun - len(self._fates)
        return self

    @checked
    def save(self, path: str | Path, after: bool = False) -> None:
        """Write the frames to a pcap file, as they came, or as they were left.

        Args:
            path: tcpdump and Wireshark read it.
            after: as the program left them.
        """
        if self._begun is None:
            raise LabError(NOT_BEGUN)
        frames = [Ether(fate.after if after else fate.before) for fate in self]
        for frame, fate in zip(frames, self, strict=True):
            frame.time = fate.time + since_boot()
        write(path, frames)

    def __enter__(self) -> Record:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __hash__(self) -> int:
        return id(self)

    def __len__(self) -> int:
        return len(self._fates)

    @overload
    def __getitem__(self, index: int) -> Fate: ...
    @overload
    def __getitem__(self, index: slice) -> list[Fate]: ...
    def __getitem__(self, index: int | slice) -> Fate | list[Fate]:
        return self._fates[index] if isinstance(index, slice) else at(self._fates, index, self)

    def __iter__(self) -> Iterator[Fate]:
        return iter(self._fates)

    def __repr__(self) -> str:
        if not self._over:
            going_on = "still recording; what was seen is there when the block ends"
            return NOT_BEGUN if self._begun is None else going_on
        nowhere = "" if self.program.places else "; it is attached nowhere"
        lines = [repr(fate) for fate in self]
        if self.lost:
            lines.append(f"and {self.lost} packets for which the ring had no room")
        lines = lines or [f"no packet met the program{nowhere}"]
        return "\n".join(lines)


@checked
def record(program: Program) -> Record:
    """Record every packet that a program meets; the program is loaded with ``capture=True``.

    Use it as a context manager; what was recorded is there when the block ends.

    Args:
        program: one that was loaded with ``capture=True``.
    """
    return Record(program)


NOT_YET = 0xFFFFFFFF  # bpf/capture.c
_HEADER = struct.Struct("=QIIII")
_RING_PAGES = 256  # a CPU; a megabyte


class _Event(NamedTuple):
    cpu: int
    time: float
    interface: int
    verdict: int
    frame: bytes


class _Recorder:
    """What reads the rings of a program with capture; a program has one for its lifetime."""

    def __init__(self, program: Program) -> None:
        self._met = program.hidden_maps["met"]
        self._events: dict[Record, list[_Event]] = {}  # for each record that is going on
        events = self._events  # the rings must not keep their own reader

        def take(cpu: int, raw: bytes) -> None:
            stamp, interface, length, verdict, _ = _HEADER.unpack_from(raw)
            frame = raw[_HEADER.size : _HEADER.size + length]
            for kept in events.values():
                kept.append(_Event(cpu, stamp / 1e9, interface, verdict, frame))

        self._rings = Rings(program.hidden_maps["records"].fd, _RING_PAGES, take)

    def begin(self, record: Record) -> int:
        """Collect for a record from now on; returns how many packets there were before."""
        self._rings.read()
        self._events[record] = []
        return self._met_so_far()

    def end(self, record: Record) -> tuple[list[_Event], int]:
        """What was collected, and how many packets there have been."""
        self._rings.read()
        return self._events.pop(record, []), self._met_so_far()

    def _met_so_far(self) -> int:
        return int(self._met[0].sum)


class _Recorders(WeakKeyDictionary[Program, _Recorder]):
    """Those of this session's programs."""


def _recorder_of(program: Program) -> _Recorder:
    recorders = current().one(_Recorders)
    if program not in recorders:
        recorders[program] = _Recorder(program)
    return recorders[program]


def since_boot() -> float:
    """What turns seconds since boot, the clock of BPF programs, into seconds since the epoch.

    Both clocks are read several times, and the reading in which nothing came between counts.
    """

    def reading() -> tuple[float, float]:
        before, epoch, after = time.monotonic(), time.time(), time.monotonic()
        return after - before, epoch - (before + after) / 2

    _, difference = min(reading() for _ in range(9))
    return difference
