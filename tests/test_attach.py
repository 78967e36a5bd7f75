"""Programs on interfaces: which mode, whose helper, and what is never replaced."""

from __future__ import annotations

import statistics
import time

import pytest
from bcc import BPF

from labsetup import Exceptions, LabError, Program
from labsetup.compiling.bcc import name_headers
from labsetup.programs.sources import SOURCES


@pytest.mark.alone
def test_from_source_to_attached(net):
    """The loop a reader waits for: at most 0.8 s, and near the floor that BCC sets."""
    name_headers()
    ours, floor = [], []
    for _ in range(9):
        begun = time.perf_counter()
        Program("icmp_count").attach(net.server.eth0)
        ours.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        bare = BPF(text=b"int bare(struct xdp_md *ctx) { return XDP_PASS; }")
        bare.load_func(b"bare", BPF.XDP)
        floor.append(time.perf_counter() - begun)
        bare.cleanup()
    assert statistics.median(ours) <= 0.8
    assert statistics.median(ours) <= 1.6 * statistics.median(floor)


def test_native_and_generic_mode(net):
    program = Program("xdp_drop")
    program.attach(net.server.eth0, mode="generic")
    assert net.server.eth0.xdp[1] == "generic"
    assert net.client.eth0.xdp is None
    assert net.client.ping(net.server, count=1, wait=0.2).received == 0
    program.attach(net.server.eth0)
    assert net.server.eth0.xdp[1] == "native"
    helper = net.client.eth0.xdp
    assert helper is not None and helper[0] == "xdp_pass"
    program.detach()
    assert net.server.eth0.xdp is None
    assert net.client.eth0.xdp is None
    assert net.client.ping(net.server).received == 3


def test_one_program_replaces_another_without_a_gap(net):
    Program("xdp_drop").attach(net.server.eth0)
    drop, later = Program("xdp_drop"), Program("xdp_pass")
    drop.attach(net.server.eth0)
    later.attach(net.server.eth0)
    assert net.server.eth0.xdp[0] == "xdp_pass"
    with pytest.raises(LabError, match="not attached"):
        drop.detach(net.server.eth0)
    assert "not attached" in drop.summary
    assert "attached to server eth0 (native)" in later.summary


def test_a_program_at_both_ends_is_nobodys_helper(net):
    one, other = Program("xdp_pass"), Program("xdp_pass")
    one.attach(net.server.eth0)
    assert net.client.eth0.is_helper
    other.attach(net.client.eth0)
    assert not net.client.eth0.is_helper
    one.detach()
    assert net.client.eth0.xdp is not None
    other.detach()
    assert net.client.eth0.xdp is None
    assert net.server.eth0.xdp is None


@pytest.fixture
def by_hand(tmp_path):
    """Load xdp_drop on an interface as a reader does in a terminal."""

    def load(interface, mode="xdpdrv", force=""):
        path, host = tmp_path / "xdp_drop.o", interface.host
        host.run(f"clang -O2 -g -target bpf -c {SOURCES}/xdp_drop.c -o {path}")
        link = f"ip {force} link set dev {interface.name} {mode}"
        said = host.run(f"{link} object {path} section xdp")
        assert said.status == 0, said

    return load


def test_a_program_loaded_by_hand_is_not_replaced(net, by_hand):
    by_hand(net.server.eth0)
    with pytest.raises(LabError, match="ip -n server link set eth0 xdp off"):
        Program("xdp_pass").attach(net.server.eth0)
    net.server.run("ip link set eth0 xdp off")
    Program("xdp_pass").attach(net.server.eth0)


def test_a_program_loaded_by_hand_over_ours_is_not_replaced(net, by_hand):
    ours = Program("xdp_pass")
    ours.attach(net.server.eth0)
    for interface in (net.server.eth0, net.client.eth0):  # the second one is the lab's helper
        by_hand(interface, force="-force")
        for _ in range(2):
            with pytest.raises(LabError, match="did not attach"):
                ours.attach(interface)
    assert "not attached" in ours.summary


def test_generic_mode_takes_the_place_of_a_helper(net):
    one, other = Program("xdp_pass"), Program("xdp_pass")
    one.attach(net.client.eth0)
    other.attach(net.server.eth0, mode="generic")
    assert net.server.eth0.xdp[1] == "generic"
    assert not net.server.eth0.is_helper


def test_no_helper_where_none_is_wanted(net):
    program = Program("xdp_pass")
    program.attach(net.server.eth0, helper=False)
    assert net.client.eth0.xdp is None
    Program("xdp_pass").attach(net.client.eth0)
    program.detach()
    assert net.server.eth0.is_helper


def test_the_tracepoint_counts_our_aborted_packets_only(net):
    net.client.ping(net.server, count=1)  # so that no ARP request comes in between
    Program("xdp_aborted").attach(net.server.eth0)
    net.client.ping(net.server, count=1, wait=0.2)
    with Exceptions() as traced:
        net.client.ping(net.server, count=2, wait=0.2)
    assert net.server.eth0.counters["xdp_drops"] == 3
    assert traced.of(net.server.eth0) == 2
    assert traced.of(net.client.eth0) == 0
