"""lab export: a program as a folder that clang, make and xdp-loader take, without the lab."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..network import sandbox
from .verbs import Verbs

EPILOG = """\
Into DIR go NAME.bpf.c, in libbpf's C with all that it needs, a Makefile, and a README.md with the
commands that load it. Nothing that is there is overwritten. clang compiles it once, in a place
without power, to see whether it does; nothing is loaded."""


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    added = verbs.add(
        "export",
        export,
        "a program as a folder that builds and loads without the lab",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EPILOG,
    )
    which = "a program of bpf/, such as lb_table, or a path to a .c file"
    added.add_argument("program", metavar="NAME|FILE.c", help=which)
    added.add_argument("folder", metavar="DIR", type=Path, help="where; made if it is not there")


def export(arguments: argparse.Namespace) -> int:
    """Write the folder, and say what to type next."""
    sandbox.enter()
    from ..exporting.folder import export as write
    from ..programs import sources

    path = sources.find(arguments.program)
    made = write(path.stem, sources.read(path), arguments.folder, sources.origin(path))
    print(made)
    return 0 if made.ok else 1
