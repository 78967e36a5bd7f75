"""What a program costs: one compile, and nothing that stays when nobody holds it."""

from __future__ import annotations

import gc
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.host import on_host
from support.kernels import Kernel

from labsetup import ICMP, IP, Ether, Peers, Program, no_balancer, two_hosts
from labsetup.compiling import bcc as compiling
from labsetup.libbpf.library import lib
from labsetup.programs.build import BuildError
from labsetup.programs.sources import SOURCES

PING = Ether() / IP() / ICMP()
CELL = (
    "%%xdp no_arp --check 2.1\n"
    + (
        Path(__file__).parent.parent / "labsetup/lessons/lesson_02_drop/ex_2_1_no_arp/solution.c"
    ).read_text()
)


@pytest.fixture
def compiles(tmp_path, monkeypatch):
    """How often clang was called so far, whichever process did so."""
    path = tmp_path / "compiles"
    work = compiling._work

    def counted(*arguments):
        with path.open("a") as file:
            file.write("x")
        work(*arguments)

    monkeypatch.setattr(compiling, "_work", counted)
    path.touch()
    return lambda: path.stat().st_size


def open_files() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_nothing_stays_of_what_nobody_holds():
    def once():
        net = two_hosts()
        program = Program("icmp_count")
        program.attach(net.server.eth0)
        assert net.client.ping(net.server, count=1).received == 1
        assert program["icmp_packets"][0].sum == 1
        program.detach()
        return program.id

    once()
    before = open_files()
    ids = {once() for _ in range(5)}
    assert open_files() == before
    assert len(ids) == 5
    assert lib.bpf_prog_get_fd_by_id(min(ids)) < 0  # it is gone from the kernel


def test_a_map_outlives_its_program():
    counted = Program("icmp_count")["icmp_packets"]
    gc.collect()
    assert counted[0].sum == 0


def test_an_interface_keeps_what_it_runs(net):
    Program("xdp_drop").attach(net.server.eth0)
    gc.collect()
    assert net.client.ping(net.server, count=1, wait=0.2).received == 0
    assert net.server.eth0.ours.program.name == "xdp_drop"


def test_a_program_is_loaded_once_more_without_a_compiler(compiles):
    program = Program("icmp_count")
    program.run(PING, repeat=3)
    again = Program(program)
    again.run(PING)
    assert compiles() == 1
    assert (program["icmp_packets"][0].sum, again["icmp_packets"][0].sum) == (3, 1)
    assert again.id != program.id
    assert repr(again) == repr(program)
    dumped = [
        on_host("bpftool", "map", "dump", "id", str(one["icmp_packets"].id)).stdout
        for one in (program, again)
    ]
    assert '"value": 1' in dumped[1], "bpftool knows the types"
    assert dumped[0].splitlines()[:2] == dumped[1].splitlines()[:2]


def test_peers_are_compiled_once(compiles):
    peers = Peers(no_balancer(), "to_owner")
    assert compiles() == 1
    assert len({one.program.id for one in peers.values()}) == 4


def test_a_check_compiles_nothing_that_was_compiled(compiles):
    from labsetup import check

    program = Program("no_arp", CELL.partition("\n")[2])
    assert "right" in repr(check("2.1", program))
    assert compiles() == 1


def test_threads_may_compile_at_the_same_time():
    source = (SOURCES / "icmp_count.c").read_text()

    def made(number):
        name = f"count_{number}"
        program = Program(name, source.replace("int icmp_count(", f"int {name}("))
        program.run(PING)
        return program["icmp_packets"][0].sum

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(made, range(8))) == [1] * 8


def test_a_compiler_that_takes_too_long_is_stopped(monkeypatch):
    monkeypatch.setattr(compiling, "COMPILING", 0.01)
    with pytest.raises(Exception, match=r"clang was stopped after 0.01 s over slow"):
        Program("slow", "int slow(struct xdp_md *ctx) { return XDP_PASS; }")


def test_an_interrupted_compile_ends(interruptible):
    """A macro that doubles at each use keeps clang busy for long."""
    doubled = "\n".join(f"#define D{n} D{n - 1} D{n - 1}" for n in range(1, 28))
    source = f"#define D0 x ^= x << 3;\n{doubled}\nint slow(struct xdp_md *ctx)\n"
    source += "{ unsigned long x = ctx->data; D27 return x & 1; }\n"
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = children.read_text()
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises((KeyboardInterrupt, BuildError)):
        Program("slow", source)
    timer.cancel()
    assert children.read_text() == before


COUNT = """
from labsetup.libbpf.library import lib
from labsetup.compiling import bcc as compiling
work = compiling._work
def counted(*arguments):
    print("x", file=open({path!r}, "a"))
    work(*arguments)
compiling._work = counted
"""


def test_a_cell_with_its_check_is_one_compile(tmp_path):
    path = str(tmp_path / "compiles")
    kernel = Kernel()
    try:
        assert kernel.run(COUNT.format(path=path)) == ""
        assert "instructions" in kernel.run(CELL)
        assert "● 2.1" in kernel.run("from labsetup import progress\nprint(progress())")
    finally:
        kernel.close()
    assert Path(path).read_text() == "x\n"
