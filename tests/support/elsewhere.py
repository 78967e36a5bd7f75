"""Programs as others write them: how a test tells what becomes of a packet."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scapy.packet import Packet

from labsetup import ICMP, IP, TCP, UDP, Ether, IPv6, Program
from labsetup.maps.values import PerCPU
from labsetup.packets.craft import frame

FOLDER = Path(__file__).parents[1] / "elsewhere"
SOURCES = sorted(FOLDER.glob("*.c"))
BTF = Path("/sys/kernel/btf/vmlinux")
KERNEL = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))

# The first kernel that has what a program needs, where that is younger than the oldest we try.
SINCE = {"bloom_seen": (5, 16), "loop_options": (5, 17), "frags_tail": (5, 18)}

ABORTED, DROP, PASS, TX, REDIRECT = "ABORTED", "DROP", "PASS", "TX", "REDIRECT"
PING, UDP4, SYN = Ether() / IP() / ICMP(), Ether() / IP() / UDP(), Ether() / IP() / TCP(flags="S")
UDP6 = Ether() / IPv6() / UDP()


def as_kept(address: str) -> int:
    """An IPv4 address as a program reads it from the packet."""
    return int.from_bytes(socket.inet_aton(address), sys.byteorder)


def to_port(port: int, **fields: Any) -> Any:
    return Ether() / IP() / UDP(sport=9, dport=port, **fields)


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.c"


def why_not(name: str) -> str:
    """What this kernel lacks for a program; empty where it lacks nothing."""
    if SINCE.get(name, KERNEL) > KERNEL:
        return "{} needs Linux {}.{}".format(name, *SINCE[name])
    if '"vmlinux.h"' in path_of(name).read_text() and not BTF.exists():
        return f"{name} needs the kernel's types, and this one has no {BTF}"
    return ""


@dataclass(frozen=True)
class Step:
    """A packet, and what should come of it.

    Attributes:
        packet: what goes in.
        verdict: without its XDP_.
        after: the frame as it comes out; None if it is to be the same.
        maps: entries that it must have then, by map and key; of a per-CPU map their sums, of a
            struct at least these fields.
        variables: what globals must be then.
        first: what to do before, such as to set a global.
        then: what else must hold, asserted by a function.
    """

    packet: Packet | bytes
    verdict: str
    after: Packet | bytes | None = None
    maps: Mapping[tuple[str, Any], Any] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    first: Callable[[Program], object] | None = None
    then: Callable[[Program], object] | None = None


@dataclass(frozen=True)
class Story:
    """A program, and packets one after the other.

    Attributes:
        name: its file's.
        steps: the packets.
        fill: what user space writes before the first of them.
        constants: what is set before it is loaded.
    """

    name: str
    steps: tuple[Step, ...]
    fill: Callable[[Program], object] | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)


def made(name: str, constants: Mapping[str, Any] | None = None) -> Program:
    """A program of tests/elsewhere, compiled and loaded as it stands there."""
    return Program(path_of(name), constants=constants)


def entry(program: Program, map_name: str, key: Any) -> Any:
    """What an entry is, of a per-CPU map the sum of its copies."""
    value = program[map_name][key]
    return value.sum if isinstance(value, PerCPU) else value


def records(program: Program) -> Any:
    """What is in its ring buffer."""
    return program["events"].read()


def take(program: Program, step: Step) -> None:
    """Run a step, and hold the program to what it says."""
    if step.first:
        step.first(program)
    run = program.run(step.packet)
    assert run.verdict == f"XDP_{step.verdict}"
    expected = frame(step.packet if step.after is None else step.after)
    assert run.after.hex() == expected.hex()
    for (map_name, key), wanted in step.maps.items():
        value = entry(program, map_name, key)
        if isinstance(wanted, dict):
            value = {name: value[name] for name in wanted}
        assert value == wanted, f"{map_name}[{key}]"
    for name, wanted in step.variables.items():
        assert program.variables[name] == wanted, name
    if step.then:
        step.then(program)
