"""Verbs whose stdin, stdout or stderr is closed, full, or read by nobody."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from scapy.utils import rdpcap, wrpcap
from support.host import LAB, on_host

from labsetup import ICMP, IP, Ether
from labsetup.packets.craft import frame
from labsetup.practice.exercise import find

FULL = "lab: stdout cannot be written: No space left on device"
WAYS = ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>&1"]

# Each verb that is done within seconds, with the status that it has, and whether it prints.
QUICK = {
    "check 2.1 {tmp}/2.1.c": (0, True),
    "check --list --json": (0, True),
    "check --all {tmp}/class --csv {tmp}/out.csv": (1, True),
    "check --help": (0, True),
    "check nonsense": (2, False),
    "packet xdp_drop --pcap {tmp}/in.pcap --out {tmp}/out.pcap": (0, True),
    "packet xdp_drop --pcap {tmp}/in.pcap --json": (0, True),
    "export xdp_drop {tmp}/exported": (0, True),
    "doctor --json": (0, True),
    "doctor {tmp}/none.json": (1, True),
    "packet xdp_drop --pcap {tmp}/cut.pcap": (1, True),
    "run 99": (1, False),
    "sync --check": (0, False),
    "restore 99": (1, False),
    "shell --help": (0, True),
    "new exercise 99 x": (1, False),
    "site --help": (0, True),
    "start --help": (0, True),
    "test --help": (0, True),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the verbs take."""
    (tmp_path / "2.1.c").write_text(find("2.1").solution)
    for student in ("ada", "bob", "cyd"):
        (tmp_path / "class" / student).mkdir(parents=True)
        (tmp_path / "class" / student / "2.1.c").write_text(find("2.1").starter)
    wrpcap(str(tmp_path / "in.pcap"), [Ether(frame(IP() / ICMP()))] * 3)
    (tmp_path / "cut.pcap").write_bytes((tmp_path / "in.pcap").read_bytes()[:-9])
    return tmp_path


def rows(table: Path) -> int:
    return len(table.read_text().splitlines()) - 1


def shell(words: str, way: str, folder: Path) -> tuple[int, str]:
    """The status, and what came on stderr where that is still there."""
    told = folder / "told"
    command = words.format(tmp=shlex.quote(str(folder)))
    said = on_host("bash", "-c", f"{shlex.quote(str(LAB))} {command} >/dev/null 2>{told} {way}")
    return said.returncode, told.read_text()


@pytest.mark.parametrize("words", QUICK)
def test_a_stream_that_is_closed_or_full(words: str, folder: Path) -> None:
    expected, prints = QUICK[words]
    for way in WAYS:
        if words.startswith("export"):
            words = f"export xdp_drop {{tmp}}/exported-{WAYS.index(way)}"
        status, told = shell(words, way, folder)
        is_full = prints and way.startswith(">/dev/full")
        assert status == (1 if is_full else expected), (way, told)
        assert "Traceback" not in told and "Exception" not in told, (way, told)
        assert (FULL in told) is (is_full and way == ">/dev/full"), (way, told)
        if "--csv" in words:
            assert rows(folder / "out.csv") == 3, way
        if "--out" in words:
            assert len(rdpcap(str(folder / "out.pcap"))) == 3, way


@pytest.mark.parametrize(
    "words",
    [
        "check --all {tmp}/class --csv {tmp}/out.csv",
        "packet xdp_drop --pcap {tmp}/in.pcap --out {tmp}/out.pcap",
        "packet xdp_drop --pcap {tmp}/in.pcap --out {tmp}/out.pcap --json",
        "check --all {tmp}/class",
        "check --list",
    ],
)
def test_what_is_written_is_completed_when_nobody_reads_on(words: str, folder: Path) -> None:
    command = words.format(tmp=shlex.quote(str(folder)))
    pipe = f"{shlex.quote(str(LAB))} {command} | true; echo ${{PIPESTATUS[0]}}"
    # The pipe's end is closed before the verb begins: what it prints first meets that.
    said = on_host("bash", "-c", pipe)
    assert said.stdout.split() == ["141"], said
    assert "cannot be written" not in said.stderr
    if "--csv" in words:
        assert rows(folder / "out.csv") == 3
    if "--out" in words:
        assert len(rdpcap(str(folder / "out.pcap"))) == 3


def test_a_full_table_is_named_and_not_stdout(folder: Path) -> None:
    status, told = shell("check --all {tmp}/class --csv /dev/full", "", folder)
    assert (status, told) == (1, "lab: /dev/full cannot be written: No space left on device\n")
