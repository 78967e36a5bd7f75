"""Exported programs, built by clang alone and loaded by bpftool, beside their originals."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labsetup import Program
from labsetup.exporting.folder import export
from labsetup.libbpf.library import lib
from labsetup.libbpf.maps import Elements, possible_cpus
from labsetup.maps.plan import PER_CPU, MapPlan

BPFFS = Path("/sys/fs/bpf")
# As a stranger with the folder would: nothing of the lab's, warnings are errors.
BUILD = [
    *("clang", "-O2", "-g", "-Wall", "-Werror", "-target", "bpf"),
    f"-I/usr/include/{os.uname().machine}-linux-gnu",
]


def built(name: str, source: str, folder: Path) -> Path:
    """Export C, and have clang build what was written."""
    made = export(name, source, folder)
    assert made.ok, made.said
    assert not made.said
    written = folder / f"{made.name}.bpf.c"
    command = [*BUILD, "-c", str(written), "-o", str(written.with_suffix(".o"))]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return written.with_suffix(".o")


def run(*words: object) -> str:
    """What a command prints; it must succeed."""
    ran = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{words}: {ran.stdout}{ran.stderr}"
    return ran.stdout


@dataclass
class Loaded:
    """What bpftool loaded: the program, and its maps by name."""

    fd: int
    maps: dict[str, int]


@contextlib.contextmanager
def loaded(file: Path) -> Iterator[Loaded]:
    """Load an object file with bpftool, and pin it into the sandbox's bpffs for a while."""
    name = file.name.removesuffix(".bpf.o")
    program, maps = BPFFS / name, BPFFS / f"{name}_maps"
    fds, before = list[int](), set(BPFFS.iterdir())
    try:
        # A map that its C pins by name has its place already.
        own = b"LIBBPF_PIN_BY_NAME" in file.with_suffix(".c").read_bytes()
        run("bpftool", "prog", "load", file, program, *(() if own else ("pinmaps", maps)))
        found = [program, *sorted(maps.iterdir())] if maps.is_dir() else [program]
        fds += [lib.bpf_obj_get(os.fsencode(path)) for path in found]
        assert min(fds) >= 0, (found, ctypes.get_errno())
        names = [path.name for path in found[1:]]
        yield Loaded(fds[0], dict(zip(names, fds[1:], strict=True)))
    finally:
        for fd in fds:
            os.close(fd)
        shutil.rmtree(maps, ignore_errors=True)
        for path in {*BPFFS.iterdir()} - before:
            path.unlink()


def elements(plan: MapPlan, fd: int) -> Elements:
    """What is in a map like the one of a plan."""
    copies = possible_cpus() if plan.kind in PER_CPU else 0
    size = -(-plan.leaf_size // 8) * 8 * copies if copies else plan.leaf_size
    return Elements(fd, plan.key_size, size, plan.entries)


def contents(plan: MapPlan, fd: int) -> dict[bytes, bytes]:
    """Its entries, as bytes."""
    found = elements(plan, fd)
    pairs = ((key, found.get(key)) for key in found.keys())  # noqa: SIM118  # no dict
    return {key: value for key, value in pairs if value is not None}


def plans(program: Program) -> dict[str, tuple[MapPlan, int]]:
    """The maps of the original that can be read, and their descriptors."""
    every = program.maps | program.hidden_maps
    return {name: (one._plan, one.fd) for name, one in every.items() if one._plan.about.reads}
