"""Terminals of JupyterLab and `lab shell`: in a notebook's network, or saying that they are not."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.host import LAB
from support.kernels import Kernel, processes_of
from support.terminal import Terminal

from labsetup import two_hosts
from labsetup.errors import LabError
from labsetup.terminals import running as module
from labsetup.terminals.jupyter import newest
from labsetup.terminals.running import Running, running

NETWORK = "from labsetup import *; net = two_hosts()"
SLOWLY = """
import time
from labsetup.network import host
def slowly(*options, make=host.Host.__init__):
    make(*options)
    time.sleep(1.5)  # three looks long, and two hosts longer than one waits
host.Host.__init__ = slowly
"""
JUPYTER = [sys.executable, "-P", "-m", "labsetup.terminals.jupyter"]


@pytest.fixture(autouse=True)
def no_network_here() -> None:
    """A network that an earlier test left open in this process would be taken for a notebook's."""
    two_hosts().close()


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    one = Kernel()
    yield one
    one.close()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """One of JupyterLab's, for which this process is the server."""
    one = Terminal(JUPYTER, {})
    yield one
    one.close()


def of(kernel: Kernel) -> Running:
    (one,) = [one for one in running() if one.pid in processes_of(kernel.pid)]
    return one


def test_a_terminal_goes_in_as_soon_as_there_is_a_network(terminal, kernel):
    terminal.shows("no notebook has a network; this terminal goes into the next that is made")
    kernel.run(NETWORK)
    terminal.shows("you are in the network of a test; hosts: client, server")
    terminal.shows("a test# ")
    terminal.types("ip netns exec client ping -c 1 -W 2 192.0.2.2\n")
    terminal.shows(" 0% packet loss")
    kernel.run("net = two_hosts()")
    time.sleep(1.5)  # it looks, and has nothing to say: here nothing was lost
    terminal.types("ip netns exec client ping -c 1 -W 2 192.0.2.2\n")
    assert "gone" not in terminal.shows(" 0% packet loss")
    terminal.types("exit 3\n")
    assert terminal.ends() == 3


def test_it_goes_in_when_all_hosts_are_there(terminal, kernel):
    terminal.shows("no notebook has a network")
    kernel.run(f"{SLOWLY}{NETWORK}")
    said = terminal.shows("a test# ")
    assert "you are in the network of a test; hosts: client, server" in said


def test_who_is_on_the_last_host_is_not_told_that_it_is_gone(terminal, kernel):
    kernel.run(NETWORK)
    terminal.shows("a test# ")
    terminal.types("lab shell server\n")
    terminal.shows("a test:server# ")
    kernel.run(f"{SLOWLY}{NETWORK}")
    assert "gone" not in terminal.shows("you are on the new server")


def test_whose_network_is_still_being_made_is_told(kernel):
    request = kernel.begin(f"{SLOWLY}{NETWORK}")
    one = of(kernel)
    end = time.monotonic() + 20
    while not one.made():
        assert time.monotonic() < end
        time.sleep(0.01)  # polls: a notebook tells nobody
    with pytest.raises(LabError, match="a test is making its network; try again in a moment"):
        one.hosts()
    kernel.output(request)
    assert one.hosts() == ["client", "server"]


def test_who_is_on_a_host_comes_to_the_new_one(terminal, kernel):
    kernel.run(NETWORK)
    terminal.shows("a test# ")
    terminal.types("lab shell client\n")
    terminal.shows("a test:client# ")
    kernel.run("net = two_hosts()")  # nothing is typed meanwhile
    terminal.shows("the network of a test was made anew; you are on the new client")
    terminal.shows("a test:client# ")
    terminal.types("ping -c 1 -W 2 192.0.2.2\n")
    terminal.shows(" 0% packet loss")
    terminal.types("ip netns exec server bash\n")  # as who knows how it is done by hand
    terminal.shows("a test:server# ")
    terminal.types("ping 192.0.2.1\n")
    terminal.shows("icmp_seq=2")
    kernel.run("net = two_hosts()")
    terminal.shows("made anew; this command is in the old one")
    terminal.types("\x03")
    terminal.shows("you are on the new server")
    kernel.run("net.close()")
    terminal.types("\n")
    terminal.shows("the network that this shell was in is gone")
    terminal.shows("no network# ")
    kernel.run("net = two_hosts()")
    terminal.shows("you are on the new server")


def test_after_a_restart_a_terminal_waits_and_outside_it_says_so(terminal, kernel):
    kernel.run(NETWORK)
    terminal.shows("a test# ")
    kernel.manager.restart_kernel(now=True)
    terminal.shows("a test has ended or begun anew, and this shell with it")
    terminal.shows("no notebook has a network")
    terminal.types("\x03")
    terminal.shows("you are root on this machine, outside of any network")
    terminal.shows("outside# ")
    terminal.types("bash\n")
    terminal.shows("outside# ")
    terminal.types("lab shell\n")
    terminal.shows("you are in the network of a test; it has no hosts yet")
    terminal.shows("a test# ")


def test_a_terminal_goes_along_to_the_next_lesson_and_back(terminal, kernel):
    kernel.run(NETWORK)
    terminal.shows("hosts: client, server")
    other = Kernel()
    try:
        other.run(NETWORK)
        terminal.shows("you are in the network of a test")
        assert newest(os.getpid()) == of(other)
        terminal.types("sleep 1000\n")
        kernel.run("net = two_hosts()")
        time.sleep(1.5)
        assert newest(os.getpid()) == of(kernel)
        terminal.types("\x03")  # what runs is not taken away; then it goes
        terminal.shows("you are in the network of a test")
    finally:
        other.close()


def test_a_shell_outlives_a_restart_and_ends_with_its_window(kernel):
    kernel.run(NETWORK)
    shell = Terminal([str(LAB), "shell", "server", "--notebook", str(of(kernel).pid)], {})
    try:
        shell.shows("you are on server of a test")
        shell.shows("a test:server# ")
        kernel.manager.restart_kernel(now=True)
        shell.shows("waiting for a network")
        kernel.client.wait_for_ready(timeout=60)
        kernel.run(NETWORK)
        shell.shows("you are on server of a test")
        shell.shows("a test:server# ")
        shell.types("setsid sleep 1000 &\n")
        shell.shows("a test:server# ")
    finally:
        shell.close()
    assert not shell.left()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_is_left_of_a_terminal_that_is_ended(terminal, kernel, number):
    kernel.run(NETWORK)
    terminal.shows("a test# ")
    terminal.types("setsid sleep 1000 & sleep 1000 | sleep 1000\n")
    time.sleep(0.5)
    os.kill(terminal.pid, number)
    terminal.ends()
    assert not terminal.left()
    assert kernel.run("print('still here')") == "still here\n"


def test_only_notebooks_of_this_clone_and_this_server_are_there(kernel, monkeypatch):
    assert of(kernel).server == os.getpid()
    assert of(kernel) in running(os.getpid()) and not running(server=1)
    monkeypatch.setattr(module, "PYTHON", Path("/elsewhere/.venv/bin/python"))
    assert not running()
    monkeypatch.undo()
    monkeypatch.setenv("PYTHONPATH", "/another/clone")
    other = Kernel()
    try:
        assert [one.pid for one in running() if one.pid in processes_of(other.pid)] == []
    finally:
        other.close()


def test_the_newest_is_first_and_one_that_has_ended_is_not_there(kernel):
    other = Kernel()
    found = [one for one in running() if one.server == os.getpid()]
    assert found == [of(other), of(kernel)]
    other.close()
    assert not found[0].is_there and found[1].is_there
