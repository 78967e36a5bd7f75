"""Commands on a host end with all that they started, and no wait for one is without limit."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from support.kernels import Kernel

from labsetup import LabError, two_hosts
from labsetup.network.network import Network
from labsetup.network.process import marked

PIPE = "tail -f /dev/null | cat"
STARTED = {
    "a pipe": f"sh -c '{PIPE}'",
    "in the background": f"sh -c '{PIPE} & {PIPE}'",
    "left behind": f"sh -c '{PIPE} &'",
    "deaf": f"""sh -c 'trap "" INT TERM; {PIPE}; {PIPE}' """,
    "a daemon": "sh -c 'setsid tail -f /dev/null & tail -f /dev/null'",
    "a group of its own": "setsid --fork sh -c 'tail -f /dev/null'",
    "without its environment": f"env -i /bin/sh -c '{PIPE}'",
}


@pytest.fixture(params=list(STARTED))
def command(request: pytest.FixtureRequest) -> str:
    return STARTED[request.param]


def alive(net: Network) -> list[str]:
    """What runs on the server, but for this process."""
    with net.server.inside():
        network = os.stat("/proc/thread-self/ns/net")
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "ns/net").stat().st_ino == network.st_ino:
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def test_run_ends_all_of_it(net: Network, command: str) -> None:
    begun = time.monotonic()
    with pytest.raises(LabError, match=r"was ended after 0\.5 s"):
        net.server.run(command, timeout=0.5)
    assert time.monotonic() - begun < 5
    assert not alive(net)


def test_stop_ends_all_of_it(net: Network, command: str) -> None:
    started = net.server.start(command)
    time.sleep(0.3)  # lets it start the others; there is nothing to wait for
    begun = time.monotonic()
    started.stop(timeout=1)
    assert time.monotonic() - begun < 5
    assert not alive(net)


def test_kill_ends_all_of_it(net: Network, command: str) -> None:
    started = net.server.start(command)
    time.sleep(0.3)
    started.kill()
    assert not alive(net)


def test_close_ends_all_of_it(command: str) -> None:
    net = two_hosts()
    net.server.start(command)
    time.sleep(0.3)
    mark = net.server._mark
    assert marked(mark) or "env -i" in command
    begun = time.monotonic()
    pids = set(net.server.pids)
    net.close()
    assert time.monotonic() - begun < 5
    assert not marked(mark)
    assert not [pid for pid in pids if Path(f"/proc/{pid}/exe").exists()]


def test_the_last_words_of_a_pipe_are_kept(net: Network) -> None:
    started = net.server.start(
        """sh -c '(trap "echo bye; exit" INT; echo hi; while :; do sleep 0.1; done) |
            (trap "" INT; cat)'"""
    )
    started.wait_for("hi")
    assert started.stop().output == "hi\nbye\n"


def test_the_same_command_again_ends_the_first_with_its_pipe(net: Network) -> None:
    first = net.server.start(f"sh -c '{PIPE}'")
    second = net.server.start(f"sh -c '{PIPE}'")
    assert not first.running
    time.sleep(0.3)
    assert second.running
    assert len(alive(net)) == 3
    second.stop()


ORPHANS = """
import subprocess, time
for _ in range(20):
    subprocess.run(["sh", "-c", "(sh -c 'sleep 0.1' &)"])
time.sleep(1)
import pathlib
lines = [path.read_text() for path in pathlib.Path("/proc").glob("[0-9]*/stat")]
states = [line.rpartition(")")[2].split()[0] for line in lines]
print(states.count("Z"), len(states) < 10)
"""


def test_orphans_are_reaped() -> None:
    kernel = Kernel()
    try:
        assert kernel.run(ORPHANS) == "0 True\n"
    finally:
        kernel.close()
