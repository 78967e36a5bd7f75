"""All tests of the lab run in one sandbox; what they ask about the host, they ask outside it."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

REPO = Path(__file__).parent.parent
LAB = REPO / "labsetup" / "lab"
NOTEBOOKS = sorted((REPO / "notebooks").glob("*.ipynb"))

# Not the reader's own: for these tests, and for the notebooks that they run.
_STATE = tempfile.TemporaryDirectory(prefix="xdp-lab-")
os.environ["XDG_STATE_HOME"] = _STATE.name

_HOST = [os.open(path, os.O_RDONLY) for path in ("/proc/self/ns/net", "/proc/self/ns/mnt", "/")]


def on_host(*command: str | Path, **options) -> subprocess.CompletedProcess[str]:
    """Run a command in the network with the mounts and the root that this process had at first."""
    kinds = zip(("net", "mount", "root"), _HOST, strict=True)
    enter = ["nsenter", *(f"--{kind}=/proc/self/fd/{file}" for kind, file in kinds), f"--wd={REPO}"]
    return subprocess.run(
        [*enter, "--", *map(str, command)], pass_fds=_HOST, text=True, capture_output=True,
        check=False, timeout=300, **options,
    )  # fmt: skip


def host_state() -> dict[str, str]:
    """Everything on the host that the lab must leave as it was."""
    asked = {
        "links": "ip -brief link",
        "addresses": "ip -brief address",
        "routes": "ip route show table all",
        "IPv6 routes": "ip -6 route show table all",
        "neighbours": "ip -brief neigh show nud permanent",
        "namespaces": "ip netns list",
        "XDP and tc programs": "bpftool net show",
        "pinned objects": "find /sys/fs/bpf",
    }
    return {what: on_host(*command.split()).stdout for what, command in asked.items()}


def is_loaded(name: str) -> bool:
    """Whether a BPF program of this name is loaded anywhere on this machine."""
    return f" name {name} " in on_host("bpftool", "prog", "show").stdout


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Notebooks cannot mark themselves: these compare what things cost."""
    for item in items:
        if item.path.name.startswith(("03-", "07-")):
            item.add_marker(pytest.mark.alone)


@pytest.fixture(scope="session", autouse=True)
def _sandbox():
    from labsetup import sandbox

    before = host_state()
    sandbox.enter()
    yield
    assert host_state() == before


@pytest.fixture(scope="session")
def loaded():
    """Every XDP program of bpf/ by name, its tables as models.py assumes them."""
    import ipaddress

    import models_balance
    import models_peers
    from models import BLOCKED, NEXT_HOPS, PORTS

    from labsetup import Program
    from labsetup.program import SOURCES

    sources = [path for path in sorted(SOURCES.glob("*.c")) if "TRACEPOINT" not in path.read_text()]
    programs = {path.stem: Program(path.stem) for path in sources}
    for labels in BLOCKED:
        name = b"".join(bytes([len(label)]) + label for label in labels)
        if len(name) < 64:
            programs["dns_block"]["blocked"][{"text": name}] = 0
    hops = programs["redirect"]["next_hops"]
    for text, (port, *macs) in NEXT_HOPS.items():
        address = ipaddress.ip_address(text).packed
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
def net():
    """client and server on one link."""
    from labsetup import two_hosts

    with_hosts = two_hosts()
    yield with_hosts
    with_hosts.close()


@pytest.fixture
def interruptible():
    """A process that was started in the background may ignore the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
