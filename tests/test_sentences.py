"""What a reader is told where something cannot be done, and what things say of themselves."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.pictures import drawn

from labsetup import (
    ICMP,
    IP,
    Balancer,
    Flood,
    HealthChecks,
    LabError,
    Program,
    balanced,
    ecmp,
    no_balancer,
    record,
    send,
)
from labsetup.command import main, shell
from labsetup.marking.submissions import mark
from labsetup.network import lifetime, sandbox
from labsetup.network.network import Network
from labsetup.practice.exercise import find
from labsetup.practice.hints import Hint
from labsetup.practice.judge import judge
from labsetup.terminals.running import Running

TWO = """
int one(struct xdp_md *ctx) { return XDP_PASS; }
int other(struct xdp_md *ctx) { return XDP_PASS; }
"""


def to_a_port_in_use(net: Network) -> None:
    with net.server.inside():
        listener = socket.create_server(("", 7))
    with listener:
        net.client.connect(net.server, port=7)


def in_no_host(net: Network) -> None:
    with sandbox.in_namespace("nobody"):
        pass


def save_nowhere(net: Network) -> None:
    with record(Program("xdp_pass", capture=True)) as seen:
        pass
    seen.save("/proc/nowhere.pcap")


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (
            lambda net: no_balancer(99),
            "the number of servers is a whole number from 1 to 57, not 99",
        ),
        (lambda net: balanced(0), "the number of servers is a whole number from 1 to 57, not 0"),
        (
            lambda net: send(net.client.eth0, [IP()] * 2, count=600_000),
            "packets in all, not 1,200,000",
        ),
        (lambda net: net.server.eth0.program, "server eth0 runs no program of the lab's"),
        (to_a_port_in_use, "server cannot listen on port 7 (Address already in use"),
        (in_no_host, "host nobody is gone; run the cell that makes the network again"),
        (save_nowhere, "/proc/nowhere.pcap cannot be written: No such file or directory"),
        (lambda net: mark([], Path("/proc/nowhere.csv")), "/proc/nowhere.csv cannot be written"),
        (lambda net: Program("two", TWO), "two has the functions one, other; call the one to"),
    ],
)
def test_a_sentence(net: Network, act: Callable[[Network], Any], sentence: str) -> None:
    with pytest.raises(LabError) as caught:
        act(net)
    assert sentence in str(caught.value)


def test_the_servers_of_a_router_come_as_a_list() -> None:
    net = no_balancer(2)
    with pytest.raises(LabError, match=r"a list such as .\"s1\""):
        ecmp(net, "s1")
    net.close()


def test_a_flood_has_an_end_and_a_switch_no_address() -> None:
    net = balanced()
    with pytest.raises(LabError, match="has no IPv4 address"):
        net.client.ping(net.switch)
    with Flood(net) as flood, pytest.raises(LabError, match="1 to 2,000,000 frames, not 0"):
        flood.send(0)
    net.close()


def test_a_program_is_no_answer_in_python() -> None:
    reply = judge(find("3.2"), Program("xdp_pass"))
    assert not reply.ok
    assert "3.2 is answered in Python: def packets(...)" in repr(reply)


def test_a_hint_with_code_shows_it() -> None:
    shown = Hint("1.1 Closed", "The solution.", "int closed;\n")
    assert repr(shown) == "1.1 Closed\n\nint closed;\n\nThe solution."
    assert "closed" in drawn(shown)["text/html"]


def test_a_program_is_drawn_with_its_summary() -> None:
    shown = drawn(Program("xdp_pass"))["text/html"]
    assert "SPDX" not in shown
    assert "xdp_pass" in shown and "not attached" in shown


def test_commands_are_shown_with_what_they_printed(net: Network) -> None:
    assert repr(net.server.run("echo word")) == "$ ip netns exec server echo word\nword"
    assert repr(net.server.run("false")).endswith("(exit status 1)")
    running = net.server.start("sleep 60")
    assert repr(running).endswith("(still running)")
    running.stop()
    assert "still running" not in repr(running)


def test_connections_and_counters_are_shown(net: Network) -> None:
    assert repr(net.client.connect(net.server)).endswith("all bytes came back")
    before = net.client.eth0.counters
    send(net.client.eth0, IP() / ICMP(), count=3)
    assert "  3" in repr(net.client.eth0.counters - before)


def test_a_balancer_and_its_health_are_shown() -> None:
    net = balanced()
    lb = Balancer(net, "lb_table")
    assert repr(lb) == "lb_table at lb: s1, s2, s3, s4, s5"
    with HealthChecks(lb) as checks:
        assert repr(checks) == "every server has been well so far"
    net.close()


@pytest.mark.parametrize(
    ("raised", "sentence", "status"),
    [(KeyboardInterrupt(), "lab: interrupted", 130), (LabError("no."), "lab: no.", 1)],
)
def test_a_command_that_ends_early_says_why(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    raised: BaseException,
    sentence: str,
    status: int,
) -> None:
    def running(server: int | None) -> list[Running]:
        raise raised

    monkeypatch.setattr(shell, "running", running)
    monkeypatch.setattr("sys.argv", ["lab", "shell"])
    monkeypatch.setattr(lifetime, "end_at_signals", lambda: None)
    assert main.main() == status
    assert sentence in capsys.readouterr().err


def test_without_root_a_command_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("sys.argv", ["lab", "shell", "client"])
    assert main.main() == 1
    assert "the lab needs root; type: sudo labsetup/lab shell client" in capsys.readouterr().err


def test_of_several_notebooks_a_reader_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Running, "hosts", lambda self: ["client"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(Running, "made", lambda self: 1)
    answers = iter(["3", "two", "22", ""])
    monkeypatch.setattr("builtins.input", lambda _: next(answers))
    found = [Running(11, "02-drop"), Running(22, "02-drop"), Running(33, "03-count-icmp")]
    assert shell._chosen(found, "02") == found[1]
    assert shell._chosen(found, "02") == found[0], "Enter takes the first"
    assert shell._chosen(found, "03") == found[2]
    assert shell._chosen(found, "11") == found[0]
    monkeypatch.setattr(Running, "made", lambda self: self.pid == 33)
    assert shell._chosen(found, None) == found[2], "the one that has a network"


def test_a_notebook_that_is_open_twice_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Running, "hosts", lambda self: ["client"])
    monkeypatch.setattr(Running, "made", lambda self: self.pid)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    found = [Running(22, "02-drop"), Running(11, "02-drop")]
    with pytest.raises(LabError, match=r"such as --notebook 22$"):
        shell._chosen(found, "02")
    assert shell._chosen(found, "22") == found[0]
    with pytest.raises(LabError, match="no notebook 05 is running; there are: 02-drop, 02-drop"):
        shell._chosen(found, "05")
