"""All tests of the lab run in one sandbox; what they ask about the host, they ask outside it."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from coverage import Coverage
from support.host import host_state
from support.measuring import let_kernels_end

if TYPE_CHECKING:
    from labsetup import Program
    from labsetup.balancing.peers import Peers
    from labsetup.network.network import Network

# Not the reader's own: for these tests, and for the notebooks that they run.
_STATE = tempfile.TemporaryDirectory(prefix="xdp-lab-")
os.environ["XDG_STATE_HOME"] = _STATE.name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Notebooks cannot mark themselves: these compare what things cost."""
    if Coverage.current():
        let_kernels_end()
    for item in items:
        if item.path.name.startswith(("03-", "07-")):
            item.add_marker(pytest.mark.alone)


@pytest.fixture(scope="session", autouse=True)
def _sandbox() -> Iterator[None]:
    from labsetup.network import sandbox

    before = host_state()
    sandbox.enter()
    yield
    assert host_state() == before


@pytest.fixture(scope="session")
def loaded() -> dict[str, Program]:
    """Every XDP program of bpf/ by name, its tables as models.py assumes them."""
    import ipaddress

    from support import models_balance, models_peers
    from support.models import BLOCKED, NEXT_HOPS, PORTS

    from labsetup import Program
    from labsetup.programs.sources import SOURCES

    sources = [path for path in sorted(SOURCES.glob("*.c")) if "TRACEPOINT" not in path.read_text()]
    programs = {path.stem: Program(path.stem) for path in sources}
    for labels in BLOCKED:
        text = b"".join(bytes([len(label)]) + label for label in labels)
        if len(text) < 64:
            programs["dns_block"]["blocked"][{"text": text}] = 0
    hops = programs["redirect"]["next_hops"]
    for hop, (port, *macs) in NEXT_HOPS.items():
        address = ipaddress.ip_address(hop).packed
        mapped = address if len(address) == 16 else bytes(10) + b"\xff\xff" + address
        destination, source = (bytes.fromhex(mac.replace(":", "")) for mac in macs)
        hops[{"byte": mapped}] = {"port": port, "destination": destination, "source": source}
    for port in PORTS:
        programs["redirect"]["ports"][port] = 1  # the sandbox's lo: a test run sends nothing
    for name, program in programs.items():
        if name.startswith("lb_"):
            models_balance.fill(program)
        if name in models_peers.MODELS:
            models_peers.fill(program)
    return programs


@pytest.fixture
def net() -> Iterator[Network]:
    """client and server on one link."""
    from labsetup import two_hosts

    with_hosts = two_hosts()
    yield with_hosts
    with_hosts.close()


@pytest.fixture(scope="module")
def peers(request: pytest.FixtureRequest) -> Iterator[Peers]:
    """Four servers that share a VIP, and run the program that the parameter names."""
    from support.peers import behind_a_router

    with behind_a_router(request.param) as servers:
        yield servers


@pytest.fixture
def lessons(tmp_path: Path) -> Path:
    """Lesson 02 with its first three exercises, in a place where it may be changed."""
    from labsetup.practice.exercise import FOLDER

    folder = tmp_path / "lessons"
    others = shutil.ignore_patterns("ex_2_[4-9]_*")
    shutil.copytree(FOLDER / "lesson_02_drop", folder / "lesson_02_drop", ignore=others)
    return folder


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A process that was started in the background may ignore the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
