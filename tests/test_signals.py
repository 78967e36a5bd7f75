"""SIGTERM, SIGINT and a closed terminal end each verb soon, and nothing of it is left."""

from __future__ import annotations

import contextlib
import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from scapy.utils import RawPcapWriter
from support.host import LAB, REPO
from support.kernels import Kernel, processes_of

from labsetup import ICMP, IP
from labsetup.packets.craft import frame
from labsetup.terminals.running import running

PING = frame(IP() / ICMP())
SOON = 3.0  # seconds
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
ENDLESS = "def packets(*_):\n    while True:\n        pass\n"


@dataclass
class Called:
    """A verb that was called, with a mark in its environment and temporary files in a folder."""

    process: subprocess.Popen[str]
    mark: str
    temporary: Path

    def left(self) -> list[str]:
        """What there still is of it."""
        found = [str(path) for path in self.temporary.iterdir()]
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self.mark.encode() in (folder / "environ").read_bytes():
                    found.append((folder / "cmdline").read_text().replace("\0", " "))
        return found

    def ends_soon(self) -> tuple[int, str]:
        """Its status and what it said, once nothing of it is left."""
        begun = time.monotonic()
        said = self.process.communicate(timeout=60)[0]
        took = time.monotonic() - begun
        self.is_gone(begun + SOON)
        assert took < SOON, said
        return self.process.returncode, said

    def is_gone(self, deadline: float) -> None:
        """Fail if there still is something of it at this time of the monotonic clock."""
        while self.left() and time.monotonic() < deadline:
            time.sleep(0.05)  # polls: of a kill -9 nobody tells
        assert not self.left()

    def at_work(self, processes: int) -> None:
        """Return once it has so many processes, itself among them."""
        deadline, words = time.monotonic() + 30, Path(f"/proc/{self.process.pid}/cmdline")
        while (
            len(processes_of(self.process.pid)) < processes
            or "labsetup.command" not in words.read_text()  # still labsetup/lab itself
        ):
            assert self.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)  # polls: there is nothing to wait for


Call = Callable[..., Called]


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Call]:
    called: list[Called] = []

    def one(*command: str | Path, where: Path = REPO) -> Called:
        temporary = tmp_path / f"{len(called)}"
        temporary.mkdir()
        mark = uuid.uuid4().hex
        environment = os.environ | {"XDP_LAB_TEST": mark, "TMPDIR": str(temporary)}
        environment |= {"PYTHONPATH": str(where)}
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            cwd=where,
        )
        called.append(Called(process, mark, temporary))
        return called[-1]

    yield one
    for each in called:
        each.process.kill()
        each.process.wait()


@pytest.fixture
def verbs(tmp_path: Path) -> dict[str, tuple[str, ...]]:
    """How to keep each verb at work for a while."""
    with RawPcapWriter(str(tmp_path / "in.pcap"), linktype=1) as capture:
        capture.write_header(None)
        for _ in range(40_000):
            capture.write_packet(PING)
    (tmp_path / "endless.py").write_text(ENDLESS)
    return {
        "start": ("--", "--no-browser", "--port=0"),
        "test": ("--", "tests/test_hashing.py"),
        "run": ("07",),
        "packet": ("echo_reply", "--pcap", f"{tmp_path}/in.pcap", "--json"),
        "check": ("3.2", f"{tmp_path}/endless.py"),
        "doctor": ("--json",),
    }


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("verb", ["start", "test", "run", "packet", "check", "doctor"])
def test_a_signal_ends_a_verb(
    call: Call, verbs: dict[str, tuple[str, ...]], verb: str, number: signal.Signals
) -> None:
    called = call(LAB, verb, *verbs[verb])
    called.at_work(3 if verb == "start" else 4)
    time.sleep(random.uniform(0, 1 if verb == "doctor" else 3))  # whatever it does then
    called.process.send_signal(number)
    status, said = called.ends_soon()
    assert status == 128 + number, said
    what = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    assert f"lab: {what}; nothing of it is left\n" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_ends_a_shell_and_what_was_started_there(
    call: Call, number: signal.Signals
) -> None:
    kernel = Kernel()
    try:
        (program,) = [one.pid for one in running() if one.pid in processes_of(kernel.pid)]
        script = "setsid sleep 1000 & sleep 1000 | sleep 1000"
        called = call(LAB, "shell", "--notebook", str(program), "--", "sh", "-c", script)
        called.at_work(6)
        called.process.send_signal(number)
        assert called.ends_soon()[0] == 128 + number
        assert kernel.run("print('still here')") == "still here\n"
    finally:
        kernel.close()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clone's files, where they may be changed."""
    where = tmp_path_factory.mktemp("copy")
    for folder in ("labsetup", "notebooks", "bpf"):
        shutil.copytree(
            REPO / folder, where / folder, ignore=shutil.ignore_patterns("__pycache__", ".ipynb*")
        )
    return where


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("verb", ["new", "sync"])
def test_a_signal_leaves_all_or_nothing_of_what_is_written(
    call: Call, copy: Path, verb: str, number: signal.Signals
) -> None:
    exercise = copy / "labsetup/lessons/lesson_05_send_back/ex_5_6_signalled"
    notebook = copy / "notebooks/05-send-back.ipynb"
    whole = notebook.read_text()
    words = {"new": ("exercise", "5.6", "signalled"), "sync": ()}[verb]
    for _ in range(4):
        shutil.rmtree(exercise, ignore_errors=True)
        other = whole.replace("### 5.1 ", "### 5.1  ") if verb == "sync" else whole
        notebook.write_text(other)
        called = call(sys.executable, "-P", "-m", "labsetup.command", verb, *words, where=copy)
        time.sleep(random.uniform(0.05, 0.6))
        called.process.send_signal(number)
        status, said = called.ends_soon()
        assert status in (0, 128 + number, -number), said
        assert notebook.read_text() in (whole, other)
        files = len(list(exercise.iterdir())) if exercise.exists() else 0
        assert files in (0, 6)
        assert not list(exercise.parent.glob(".*.new"))
    notebook.write_text(whole)


def test_kill_9_leaves_nothing(call: Call) -> None:
    called = call(LAB, "run", "07")
    called.at_work(5)
    called.process.kill()
    assert called.ends_soon()[0] == -signal.SIGKILL


def test_timeout_ends_a_run(call: Call) -> None:
    called = call("timeout", "4", LAB, "run", "07")
    called.process.wait(4 + SOON)
    status, said = called.ends_soon()
    assert status == 124
    assert "lab: ended by SIGTERM" in said


@pytest.mark.parametrize("closed", [False, True], ids=["Ctrl-C", "closed"])
@pytest.mark.parametrize("verb", ["start", "run"])
def test_a_terminal_ends_a_verb(
    tmp_path: Path, verbs: dict[str, tuple[str, ...]], verb: str, closed: bool
) -> None:
    mark, temporary = uuid.uuid4().hex, tmp_path / "temporary"
    temporary.mkdir()
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"XDP_LAB_TEST": mark, "TMPDIR": str(temporary)}
        os.execv(LAB, [str(LAB), verb, *verbs[verb]])
    called = Called(subprocess.Popen(["true"], text=True), mark, temporary)  # for what is left
    deadline = time.monotonic() + 30
    while len(processes_of(pid)) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(random.uniform(0, 3))
    said = ""
    if closed:
        os.close(terminal)
    else:
        os.write(terminal, b"\x03")
        with contextlib.suppress(OSError):  # EIO: nobody is at its other end any more
            while part := os.read(terminal, 65536):
                said += part.decode(errors="replace")
        assert "lab: interrupted; nothing of it is left" in said
    begun = time.monotonic()
    ended, status = os.waitpid(pid, os.WNOHANG)
    while not ended and time.monotonic() - begun < 60:
        time.sleep(0.02)  # waitpid(2) knows no limit
        ended, status = os.waitpid(pid, os.WNOHANG)
    if not ended:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert ended and time.monotonic() - begun < SOON
    status = os.waitstatus_to_exitcode(status)
    assert status == 128 + (signal.SIGHUP if closed else signal.SIGINT)
    called.is_gone(begun + SOON)


def test_a_reader_that_has_read_enough_ends_it_quietly(call: Call) -> None:
    said = call("sh", "-c", f"{LAB} check --list | head -n 1").process.communicate(timeout=60)[0]
    assert said.count("\n") == 1
