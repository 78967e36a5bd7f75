"""lab packet: an XDP program on each packet of a capture, without a network."""

from __future__ import annotations

import argparse
import contextlib
import json
from pathlib import Path
from typing import Any

from ..errors import LabError
from ..network import sandbox
from .verbs import Verbs


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    text = "run an XDP program on each packet of a capture, without a network"
    added = verbs.add("packet", packet, text)
    which = "a program of bpf/, such as xdp_drop, or a path to a .c file"
    added.add_argument("program", help=which)
    which = "packets to run it on"
    added.add_argument("--pcap", type=Path, required=True, metavar="IN", help=which)
    added.add_argument("--out", type=Path, metavar="OUT", help="write the packets after it here")
    added.add_argument("--map", metavar="NAME", help="show only this map")
    added.add_argument("--json", action="store_true", help="print one JSON document")


def packet(arguments: argparse.Namespace) -> int:
    """Run a program on each packet of a capture."""
    sandbox.enter()
    from scapy.error import Scapy_Exception
    from scapy.utils import RawPcapReader, RawPcapWriter

    from ..programs.program import Program

    program = Program(arguments.program)
    chosen = {arguments.map: program[arguments.map]} if arguments.map else program.maps
    try:
        with RawPcapReader(str(arguments.pcap)) as reader:
            frames = [data for data, _ in reader]
    except (OSError, Scapy_Exception) as error:
        raise LabError(f"{arguments.pcap} cannot be read as a pcap file: {error}") from None
    runs = [program.run(data) for data in frames]
    if arguments.out:
        try:
            with contextlib.closing(RawPcapWriter(str(arguments.out), linktype=1)) as writer:
                writer.write_header(None)
                for one in runs:
                    writer.write_packet(one.after)
        except OSError as error:
            raise LabError(f"{arguments.out} cannot be written: {error.strerror}") from None
    maps = {name: _map_as_json(entries) for name, entries in chosen.items()}
    if arguments.json:
        packets = [{"verdict": r.verdict, "out": r.after.hex(), "ns": r.ns} for r in runs]
        print(json.dumps({"packets": packets, "maps": maps}, indent=2))
        return 0
    for number, one in enumerate(runs, 1):
        changes = "; ".join(map(repr, one.changes)) or "unchanged"
        print(f"{number:4}  {one.verdict:12}  {len(one.before):4} bytes  {one.ns:4} ns  {changes}")
    for entries in chosen.values():
        print(entries)
    return 0


def _map_as_json(entries: Any) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        return {"copies": list(value), "sum": value.sum} if hasattr(value, "sum") else value

    return {str(key): plain(value) for key, value in entries.items()}
