"""Frames that were redirected and went nowhere: each reason in words, at the right interface."""

from __future__ import annotations

import contextlib
import sys

import pytest

from labsetup import ICMP, IP, LabError, Program, RedirectErrors, send, two_hosts
from labsetup.lessons.lesson_05_send_back import rooms
from labsetup.observing import tracepoint
from labsetup.practice.exercise import find
from labsetup.practice.judge import judge

# What breaks the way, in which host, and what is said then.
BROKEN = {
    "the MTU of the interface": ("middle", "ip link set eth1 mtu 1000", "EMSGSIZE: the frame is"),
    "the MTU of the peer": ("server", "ip link set eth0 mtu 1000", "no errno: its driver did not"),
    "the interface is down": ("middle", "ip link set eth1 down", "ENETDOWN: it is down"),
    "the peer is down": ("server", "ip link set eth0 down", "ENXIO: its driver has no queue"),
}


@pytest.fixture
def forwarding():
    net = rooms.HALL.build()
    yield net
    net.close()


def send_three(net):
    packet = IP(dst=str(net.server.eth0.addresses[0].ip)) / ICMP(type=0) / bytes(1200)
    send(net.client.eth0, packet, count=3)


@pytest.mark.parametrize("what", BROKEN)
def test_why_a_frame_went_nowhere(forwarding, what):
    net = forwarding
    host, command, words = BROKEN[what]
    with RedirectErrors() as before:
        send_three(net)
    getattr(net, host).run(command)
    with RedirectErrors() as lost:
        send_three(net)
    send_three(net)  # after the block, so it does not count
    assert repr(before.of(net.middle.eth0)) == "none went nowhere"
    ((number, where, why),) = lost.of(net.middle.eth0).rows
    assert (number, where) == (3, "eth1")
    assert why.startswith(words), why
    assert repr(lost.of(net.middle.eth0)) == f"3 to eth1, {why}"
    assert repr(lost) == "3 frames were redirected and went nowhere; of(INTERFACE) tells why"


def test_others_have_none(forwarding):
    net = forwarding
    with RedirectErrors() as lost:
        for host, command, _ in BROKEN.values():
            getattr(net, host).run(command)
            send_three(net)
        for other in (net.client.eth0, net.middle.eth1, net.server.eth0):
            assert not lost.of(other).total
        assert lost.of(net.middle.eth0).total == 12


def test_an_interface_that_is_not_there():
    net = two_hosts()
    program = Program("nowhere", "int nowhere(struct xdp_md *ctx) { return bpf_redirect(77, 0); }")
    program.attach(net.server.eth0)
    with RedirectErrors() as lost:
        send(net.client.eth0, IP() / ICMP(type=0), count=3)
    said = repr(lost.of(net.server.eth0))
    assert said.startswith("3 to no interface, EINVAL: there is no such interface")
    net.close()


def test_before_it_begins():
    assert repr(RedirectErrors()) == "not counting yet: with RedirectErrors() as lost: begins"
    with contextlib.closing(two_hosts()) as net, pytest.raises(LabError, match="not counting yet"):
        RedirectErrors().of(net.server.eth0)


def test_a_kernel_without_the_tracepoint(monkeypatch, tmp_path):
    monkeypatch.setattr(tracepoint, "SOURCES", tmp_path)
    (tmp_path / "none.c").write_text("TRACEPOINT_PROBE(xdp, none)\n{\n\treturn args->err;\n}\n")
    with pytest.raises(LabError, match=r"no tracepoint xdp:none \(.*\); look elsewhere"):
        tracepoint.Tracer("none", "none", "look elsewhere")


def test_a_check_prints_nothing_of_what_counts_here(monkeypatch):
    """It is tried in a process forked from this one, which has none of its descriptors."""
    monkeypatch.setattr("sys.unraisablehook", sys.__unraisablehook__)  # pytest's keeps it quiet
    with RedirectErrors():
        reply = judge(find("5.1"), find("5.1").starter)
    assert "Exception ignored" not in repr(reply)
