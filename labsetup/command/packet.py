"""lab packet: an XDP program on each packet of a capture, without a network."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import LabError
from ..network import sandbox
from ..streams import Printing
from .verbs import Verbs

PATIENCE = 2  # seconds without a word; and then again twice as long


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    text = "run an XDP program on each packet of a capture, without a network"
    added = verbs.add("packet", packet, text)
    which = "a program of bpf/, such as xdp_drop, or a path to a .c file"
    added.add_argument("program", help=which)
    which = "packets to run it on: pcap or pcapng, compressed or not"
    added.add_argument("--pcap", type=Path, required=True, metavar="IN", help=which)
    added.add_argument("--out", type=Path, metavar="OUT", help="write the packets after it here")
    added.add_argument("--map", metavar="NAME", help="show only this map")
    added.add_argument("--json", action="store_true", help="print one JSON document")


class _Row(NamedTuple):
    """What became of one packet."""

    number: int
    size: int
    verdict: str
    after: bytes
    ns: int
    changes: str
    trouble: str  # why it was not run

    def __str__(self) -> str:
        if self.trouble:
            return f"{self.number:4}  {'not run':12}  {self.size:4} bytes  {self.trouble}"
        ns = f"{self.ns:4} ns"
        return f"{self.number:4}  {self.verdict:12}  {self.size:4} bytes  {ns}  {self.changes}"

    @property
    def as_json(self) -> dict[str, Any]:
        if self.trouble:
            return {"verdict": None, "trouble": self.trouble}
        return {"verdict": self.verdict, "out": self.after.hex(), "ns": self.ns}


def packet(arguments: argparse.Namespace) -> int:
    """Run a program on each packet of a capture."""
    sandbox.enter()
    from ..packets.captures import frames
    from ..programs.program import Program

    program = Program(arguments.program)
    chosen = {arguments.map: program[arguments.map]} if arguments.map else program.maps
    remarks: list[str] = []
    packets = frames(arguments.pcap, remarks.append)
    first = next(packets, None)  # before anything is written: the file may be no capture
    if first is None:
        remarks.append(f"{arguments.pcap} has no packets")
    printing = Printing(goes_on=arguments.out is not None)
    with _writing(arguments) as write:
        rows = _rows(program, packets, first, arguments.json)
        if arguments.json:
            return _print_json(printing, rows, write, chosen, remarks)
        trouble, left = None, 0
        try:
            for row in rows:
                while remarks:
                    _say(remarks.pop())
                left += bool(row.trouble)
                printing(row)
                write(row)
        except LabError as error:
            trouble = error
        for remark in remarks:
            _say(remark)
    for entries in chosen.values():
        printing(entries)
    printing.finish()
    if trouble:
        raise trouble
    return _status(left)


def _status(left: int) -> int:
    """Not 0 where some packets were not run, which stand among thousands."""
    if left:
        were = "packet was" if left == 1 else "packets were"
        _say(f"{left:,} {were} not run; the rows of those say why")
    return 1 if left else 0


def _say(remark: str) -> None:
    print(remark, file=sys.stderr, flush=True)


def _print_json(
    printing: Printing,
    rows: Iterator[_Row],
    write: Callable[[_Row], None],
    maps: Any,
    remarks: list[str],
) -> int:
    """One document, written as it grows."""
    printing('{"packets": [', end="")
    before, trouble, left = "\n  ", "", 0
    try:
        for row in rows:
            left += bool(row.trouble)
            printing(before + json.dumps(row.as_json), end="")
            before = ",\n  "
            write(row)
    except LabError as error:
        trouble = str(error)
        _say(trouble)
    rest = {"maps": {name: _map_as_json(one) for name, one in maps.items()}, "remarks": remarks}
    printing(f"\n], {json.dumps(rest | {'trouble': trouble}, indent=2)[1:]}")
    printing.finish()
    return _status(left) or (1 if trouble else 0)


def _rows(program: Any, packets: Any, first: Any, changes_unseen: bool) -> Iterator[_Row]:
    from ..packets.fields import changes_of
    from ..programs.run import run

    told, pause = time.monotonic(), PATIENCE
    for one in [] if first is None else _chained(first, packets):
        cut = f"; {one.size} of its {one.length} bytes are in the file" * (one.size < one.length)
        if not sys.stdout.isatty() and time.monotonic() > told + pause:
            told, pause = time.monotonic(), 2 * pause
            _say(f"{one.number:,} packets so far")
        if one.frame is None:
            yield _Row(one.number, one.size, "", b"", 0, "", f"it carries no IP{cut}")
            continue
        try:
            verdict, after, ns = run(program.fd, one.frame)
        except LabError as error:
            yield _Row(one.number, one.size, "", b"", 0, "", f"{error}{cut}")
            continue
        changed = [] if changes_unseen else changes_of(one.frame, after)
        changes = "; ".join(map(repr, changed)) or "unchanged"
        yield _Row(one.number, len(one.frame), verdict, after, ns, changes + cut, "")


def _chained(first: Any, others: Any) -> Iterator[Any]:
    yield first
    yield from others


@contextlib.contextmanager
def _writing(arguments: argparse.Namespace) -> Iterator[Callable[[_Row], None]]:
    """What writes a packet to the file that is asked for."""
    from scapy.utils import RawPcapWriter

    if not arguments.out:
        yield lambda row: None
        return
    if arguments.out.exists() and arguments.out.samefile(arguments.pcap):
        raise LabError(f"{arguments.out} is what is being read; give --out another name")
    try:
        with contextlib.closing(RawPcapWriter(str(arguments.out), linktype=1)) as writer:
            writer.write_header(None)
            yield lambda row: None if row.trouble else writer.write_packet(row.after)
    except OSError as error:
        raise LabError(f"{arguments.out} cannot be written: {error.strerror}") from None


def _map_as_json(entries: Any) -> Any:
    def plain(value: Any) -> Any:
        if isinstance(value, bytes):
            return value.hex()
        if isinstance(value, dict):
            return {name: plain(part) for name, part in value.items()}
        if hasattr(value, "sum"):
            return {"copies": [plain(copy) for copy in value], "sum": plain(value.sum)}
        return [plain(part) for part in value] if isinstance(value, (list, tuple)) else value

    try:
        shown = [entries.shown(*entry) for entry in entries.raw().items()]
    except LabError:
        return entries.about
    return {key: plain(value) for key, value in shown}
