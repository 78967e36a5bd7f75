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
    from labsetup import Neighbours, Program
    from labsetup.balancing.peers import Peers
    from labsetup.network.network import Network

# Not the reader's own: for these tests, and for the notebooks that they run.
_STATE = tempfile.TemporaryDirectory(prefix="xdp-lab-")
os.environ["XDG_STATE_HOME"] = _STATE.name
_BEGUN: dict[str, Path] = {}


# Those that take half a minute and more. Where several run side by side they begin, lest one of
# them begins when the others are through; a name that is missing here costs time and nothing else.
LONGEST = (
    "test_browser_notebooks",
    "test_answers",
    "test_installing",
    "08-without-a-load-balancer",
    "test_sandbox",
    "test_odd_arguments",
    "test_museum",
    "test_signals",
    "test_browser_lab",
    "test_strangers",
    "test_balancer",
    "test_site",
    "test_differential",
    "test_export",
    "test_browser_first_page",
    "test_churn",
    "test_command",
    "test_hostile_c",
    "test_packet_captures",
    "test_streams",
    "test_service",
)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A file, or a notebook, begins without another's progress: hints that it opened are seen."""
    if item.path != _BEGUN.get("file"):
        _BEGUN["file"] = item.path
        shutil.rmtree(Path(_STATE.name, "xdp-lab"), ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Notebooks cannot mark themselves: these compare what things cost."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        places = {name: place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: places.get(item.path.stem, len(places)))
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


class Programs(dict[str, "Program"]):
    """Programs of bpf/, each compiled when a test first asks for it."""

    def __missing__(self, name: str) -> Program:
        from labsetup import Program

        made = self[name] = Program(name)
        _fill(made)
        return made


def _fill(program: Program) -> None:
    """Write into its tables what models.py assumes."""
    import ipaddress

    from support import models_balance, models_nat, models_peers
    from support.models import BLOCKED, NEXT_HOPS, PORTS

    if program.name == "dns_block":
        for labels in BLOCKED:
            text = b"".join(bytes([len(label)]) + label for label in labels)
            if len(text) < 64:
                program["blocked"][{"text": text}] = 0
    if program.name == "redirect":
        for hop, (port, *macs) in NEXT_HOPS.items():
            address = ipaddress.ip_address(hop).packed
            mapped = address if len(address) == 16 else bytes(10) + b"\xff\xff" + address
            to, own = (bytes.fromhex(mac.replace(":", "")) for mac in macs)
            entry = {"port": port, "destination": to, "source": own}
            program["next_hops"][{"byte": mapped}] = entry
        for port in PORTS:
            program["ports"][port] = 1  # the sandbox's lo: a test run sends nothing
    if program.name.startswith("lb_"):
        models_balance.fill(program)
    if program.name == "lb_nat":
        models_nat.fill(program)
    if program.name in models_peers.MODELS:
        models_peers.fill(program)


@pytest.fixture(scope="session")
def loaded() -> dict[str, Program]:
    """XDP programs of bpf/ by name, their tables as models.py assumes them."""
    return Programs()


@pytest.fixture
def net() -> Iterator[Network]:
    """client and server on one link."""
    from labsetup import two_hosts

    with_hosts = two_hosts()
    yield with_hosts
    with_hosts.close()


@pytest.fixture(scope="module")
def peers(request: pytest.FixtureRequest) -> Iterator[Peers | Neighbours]:
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
