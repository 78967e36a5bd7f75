"""Maps that are too large are refused before the kernel makes them, and take no memory."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.libbpfs_c import HEAD, TAIL
from support.replies import said

from labsetup import ICMP, IP, Ether, LabError, Program, jail
from labsetup.compiling.bcc import Compilation
from labsetup.compiling.guard import Guard
from labsetup.maps import limits
from labsetup.practice.exercise import find
from labsetup.practice.judge import judge
from labsetup.programs.build import BuildError

MB = 10**6
# Twelve times the bound that is set here; a kernel that makes such a map is seen to take half of it
# and more. What is gone by chance is less: clang takes 150 MB.
ASKED = 4_000 * MB
NEVER_BY_CHANCE = 1_000 * MB
MACHINE = ASKED // 3
BODY = "int closed(struct xdp_md *ctx) { return XDP_DROP; }\n"
VALUE = "struct v { u8 b[4000]; };\n"
BCCS = {
    "a hash": f"BPF_HASH(m, u32, struct v, {ASKED // 4_064});",
    "an array": f"BPF_ARRAY(m, struct v, {ASKED // 4_000});",
    "stack traces": f"BPF_STACK_TRACE(m, {ASKED // 1_040});",
    "a queue": f"BPF_QUEUE(m, struct v, {ASKED // 4_000});",
    "an inner map": f'BPF_ARRAY(m, struct v, {ASKED // 4_000});\nBPF_ARRAY_OF_MAPS(o, "m", 4);',
    "per-CPU values": f"BPF_PERCPU_ARRAY(m, struct v, {ASKED // 4_000 // 4});",
    "one of a long name": f"BPF_ARRAY(m_of_a_very_long_name, struct v, {ASKED // 4_000});",
}
SIZES = "__uint(key_size, 4); __uint(max_entries, {}); __uint(value_size, {});"
ARRAY = f"__uint(type, BPF_MAP_TYPE_ARRAY); {SIZES.format(ASKED // 4_000, 4_000)}"
STACKS = f"__uint(type, BPF_MAP_TYPE_STACK_TRACE); {SIZES.format(ASKED // 1_040, 1_016)}"
OUTER = "__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 2); __type(key, int);"
LIBBPFS = {
    "an array": ARRAY,
    "stack traces": STACKS,
    "an inner map": f"{OUTER} __array(values, struct {{ {ARRAY} }});",
}
SOURCES = {f"BCC's: {what}": f"{VALUE}{c}\n{BODY}" for what, c in BCCS.items()} | {
    f"libbpf's: {what}": f'{HEAD}struct {{ {c} }} m SEC(".maps");\nSEC("xdp") {BODY}{TAIL}'
    for what, c in LIBBPFS.items()
}
LOWEST = """
import select, sys
def available():
    return next(int(x.split()[1]) for x in open("/proc/meminfo") if x.startswith("MemAvailable"))
begun = lowest = available()
print(flush=True)
while not select.select([sys.stdin], [], [], 0.01)[0]:
    lowest = min(lowest, available())
print(1024 * (begun - lowest))
"""
# An ancestor has a filter already that asks somebody: a container's manager, say. A process can
# have one such filter.
ASKED_BEFORE = """
import ctypes, os, sys
library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
rules = ctypes.c_void_p(library.seccomp_init(0x7FFF0000))
number = library.seccomp_syscall_resolve_name(b"swapon")
assert library.seccomp_rule_add_array(rules, 0x7FC00000, number, 0, None) == 0
assert library.seccomp_load(rules) == 0
os.set_inheritable(library.seccomp_notify_fd(rules), True)
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""
COMPILES = """
from labsetup.network import sandbox
sandbox.enter()
from labsetup import ICMP, IP, Ether, Program
from labsetup.compiling.guard import Guard
def may_create(*_): raise AssertionError
Guard.may_create = may_create
source = "BPF_ARRAY(m, u64, 4);\\nint it(struct xdp_md *ctx) { return XDP_DROP; }"
print(Program("it", source).run(Ether() / IP() / ICMP()).verdict)
"""


@pytest.fixture
def small(monkeypatch):
    """A machine with little memory."""
    monkeypatch.setattr(limits, "memory", lambda: MACHINE)


@pytest.fixture
def memory_stays():
    watch = subprocess.Popen(
        [sys.executable, "-c", LOWEST],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watch.stdout
    watch.stdout.readline()
    yield
    told, _ = watch.communicate("\n", timeout=10)
    assert int(told) < NEVER_BY_CHANCE


@pytest.mark.parametrize("what", SOURCES)
def test_a_map_that_is_too_large_takes_no_memory(what, small, memory_stays, monkeypatch):
    # Where it comes to the verifier, BCC has had the maps made; a look at memory may miss that.
    monkeypatch.setattr(Compilation, "verified", None)
    with pytest.raises(LabError, match=r"map m(_of_a_very_long_name|\.inner)? is too large: "):
        Program("closed", SOURCES[what])


@pytest.mark.parametrize("what", ["BCC's: a hash", "libbpf's: an inner map"])
def test_a_stranger_s_map_takes_none_either(what, small, memory_stays):
    reply = said(judge(find("1.1"), SOURCES[what], strangers=True))
    assert "is too large: the program's maps would take 4.0 GB as soon as it is loaded" in reply
    assert "fewer entries" in reply


def test_maps_that_are_too_large_together(small):
    maps = "".join(f"BPF_ARRAY(m{n}, struct v, {100 * MB // 4_000});\n" for n in range(4))
    with pytest.raises(LabError, match=r"map m\d is too large: the program's maps would take 0\.4"):
        Program("closed", f"{VALUE}{maps}{BODY}")
    fits = "".join(maps.splitlines(keepends=True)[:3])
    assert Program("closed", f"{VALUE}{fits}{BODY}").run(Ether() / IP() / ICMP()).verdict


def test_where_the_kernel_asks_nobody_all_else_is_as_ever(small, monkeypatch):
    monkeypatch.setattr(jail, "ASKED", 0x12340000)  # an action that there is not
    monkeypatch.setattr(Guard, "may_create", None)
    assert judge(find("3.2"), find("3.2").solution, strangers=True).ok
    with pytest.raises(LabError, match="map m is too large"):
        Program("closed", f"{VALUE}BPF_ARRAY(m, struct v, {350 * MB // 4_000});\n{BODY}")


def test_where_somebody_is_asked_already():
    command = [sys.executable, "-c", ASKED_BEFORE, COMPILES]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout == "XDP_DROP\n", ran.stderr


def test_who_compiles_in_a_thread_has_what_is_allocated_elsewhere():
    """There an address has more than 32 bits, also where Python's own heap begins low."""
    with ThreadPoolExecutor(1) as thread:
        program = thread.submit(Program, "closed", f"BPF_ARRAY(m, u64, 4);\n{BODY}").result(30)
    assert program.run(Ether() / IP() / ICMP()).verdict == "XDP_DROP"


def test_nobody_waits_for_a_guard_that_has_failed(monkeypatch):
    def fails(*_):
        raise MemoryError

    monkeypatch.setattr(Guard, "may_create", fails)
    begun = time.monotonic()
    with pytest.raises(BuildError, match="the kernel refused its map m"):
        Program("closed", f"BPF_ARRAY(m, u64, 4);\n{BODY}")
    assert time.monotonic() - begun < 30  # where clang would have had a minute


def test_what_the_kernel_is_given_may_be_short():
    attributes = (ctypes.c_uint32 * 11)(2, 4, 8, 10, *[0xFFFFFFFF] * 7)
    guard = Guard()
    assert guard.may_create(ctypes.addressof(attributes), 16)
    (plan,) = guard._plans
    assert (plan.kind, plan.key_size, plan.leaf_size, plan.entries) == (2, 4, 8, 10)
    assert (plan.flags, plan.name) == (0, "")
