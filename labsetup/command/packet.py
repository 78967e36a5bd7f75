"""lab packet: an XDP program on each packet of a capture, without a network."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import LabError
from ..network import sandbox
from ..streams import Printing
from .places import say
from .verbs import Verbs

if TYPE_CHECKING:
    from ..packets.captures import Captured
    from ..programs.captured import Row


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    text = "run an XDP program on each packet of a capture, without a network"
    added = verbs.add("packet", packet, text)
    which = "a program of bpf/, such as xdp_drop, or a path to a .c file"
    added.add_argument("program", help=which)
    which = "packets to run it on: pcap or pcapng, gzipped or not"
    added.add_argument("--pcap", type=Path, required=True, metavar="IN", help=which)
    added.add_argument("--out", type=Path, metavar="OUT", help="write the packets after it here")
    added.add_argument("--map", metavar="NAME", help="show only this map")
    added.add_argument("--json", action="store_true", help="print one JSON document")


def packet(arguments: argparse.Namespace) -> int:
    """Run a program on each packet of a capture."""
    sandbox.enter()
    from ..packets.captures import frames, writing
    from ..programs.captured import run_on
    from ..programs.program import Program

    program = Program(arguments.program)
    chosen = {arguments.map: program[arguments.map]} if arguments.map else program.maps
    remarks: list[str] = []
    packets = frames(arguments.pcap, remarks.append)
    first = next(packets, None)  # before anything is written: the file may be no capture
    if first is None:
        remarks.append(f"{arguments.pcap} has no packets")
    printing = Printing(goes_on=arguments.out is not None)
    with writing(arguments.out, arguments.pcap) as write:
        rows = run_on(program, first, packets, arguments.json, say)
        if arguments.json:
            return _print_json(printing, rows, write, chosen, remarks)
        trouble, left = None, 0
        try:
            for row in rows:
                while remarks:
                    say(remarks.pop())
                left += bool(row.trouble)
                printing(row)
                if not row.trouble:
                    write(row.after, row.before)
        except LabError as error:
            trouble = error
        for remark in remarks:
            say(remark)
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
        say(f"{left:,} {were} not run; the rows of those say why")
    return 1 if left else 0


def _print_json(
    printing: Printing,
    rows: Iterator[Row],
    write: Callable[[bytes, Captured], None],
    maps: Any,
    remarks: list[str],
) -> int:
    """One document, written as it grows."""
    from ..programs.captured import map_as_json

    printing('{"packets": [', end="")
    before, trouble, left = "\n  ", "", 0
    try:
        for row in rows:
            left += bool(row.trouble)
            printing(before + json.dumps(row.as_json), end="")
            before = ",\n  "
            if not row.trouble:
                write(row.after, row.before)
    except LabError as error:
        trouble = str(error)
        say(trouble)
    rest = {"maps": {name: map_as_json(one) for name, one in maps.items()}, "remarks": remarks}
    printing(f"\n], {json.dumps(rest | {'trouble': trouble}, indent=2)[1:]}")
    printing.finish()
    return _status(left) or (1 if trouble else 0)
