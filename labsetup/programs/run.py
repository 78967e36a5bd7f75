"""What a program does to one packet."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier

from ..errors import LabError
from ..libbpf.runs import run_frame
from ..packets.fields import Field, fields_of, layers_in_words

# enum xdp_action, linux/bpf.h
VERDICTS = ("XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT")


@dataclass(frozen=True)
class Run:
    """What a program did to one packet: a journey of one hop.

    Attributes:
        program: its name.
        verdict: such as ``"XDP_DROP"``.
        before: the frame that went in.
        after: the frame as the program left it.
        ns: nanoseconds a run took; some 20 to 30 are the measuring itself.
        maps: for each map entry that the run changed, its value before and after.
    """

    program: str
    verdict: str
    before: bytes
    after: bytes
    ns: int = 0
    maps: Mapping[str, tuple[object, object]] = field(default_factory=dict)

    @property
    def fields(self) -> list[Field]:
        """Every header field, before and after."""
        return fields_of(self.before, self.after)

    @property
    def changes(self) -> list[Field]:
        """The header fields that the program changed."""
        return [one for one in self.fields if one.changed]

    def __repr__(self) -> str:
        same = "" if self.changes else ", unchanged"
        lines = [f"{self.program}: {self.verdict}, {len(self.after)} bytes{same}"]
        lines += layers_in_words(self.fields)
        lines += [f"  {entry}: {before} → {after}" for entry, (before, after) in self.maps.items()]
        return "\n".join(lines)


def verdict_name(number: int) -> str:
    """A verdict's name, or what the kernel makes of a number that is none."""
    if number < len(VERDICTS):
        return VERDICTS[number]
    return f"{number}, which is no verdict: the kernel treats it as {VERDICTS[0]}"


def run(
    fd: int, frame: bytes, repeat: int = 1, cpus: Sequence[int] | None = None
) -> tuple[str, bytes, int]:
    """Run a loaded program on a frame, with no network at all (BPF_PROG_TEST_RUN).

    Args:
        fd: the program's descriptor.
        frame: from its Ethernet header on.
        repeat: runs to time, from 1 to 10,000,000.
        cpus: run it *repeat* times on each of these CPUs, all at once.

    Returns:
        the verdict's name, the frame as the program left it, nanoseconds a run.

    Raises:
        LabError: for a frame that the kernel does not take.
    """
    if not (isinstance(repeat, int) and 1 <= repeat <= 10_000_000):
        raise LabError(f"run() takes a whole number from 1 to 10,000,000 to repeat, not {repeat}")
    if unknown := set(cpus or ()) - os.sched_getaffinity(0):
        raise LabError(f"there is no CPU {min(unknown)}; cpus() lists those there are")
    together = Barrier(len(cpus or [0]), timeout=10)

    def run_on(cpu: int | None) -> tuple[int, bytes, int]:
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})  # of this thread only
            together.wait()
        return run_frame(fd, frame, repeat)

    try:
        if cpus:
            with ThreadPoolExecutor(len(cpus)) as threads:
                results = list(threads.map(run_on, cpus))
        else:
            results = [run_on(None)]
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.E2BIG, errno.ENOMEM}:
            raise
        raise LabError(
            f"the kernel does not run a program on a frame of {len(frame)} bytes; "
            "it takes 14 (an Ethernet header) to 3,500 or, on newer kernels, some more"
        ) from None
    verdict, after, _ = results[0]
    return verdict_name(verdict), after, sum(ns for *_, ns in results) // len(results)
