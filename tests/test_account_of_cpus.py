"""Packets that go on at another CPU are counted once, and what counts says what it is."""

from __future__ import annotations

import pytest

from labsetup import Exceptions, LabError, Program, account, two_hosts

TO_A_CPU = """
BPF_CPUMAP(others, 4);
int to_a_cpu(struct xdp_md *ctx) { return others.redirect_map(0, 0); }
"""


def test_what_a_cpu_map_takes_on_has_one_fate():
    net = two_hosts()
    program = Program("to_a_cpu", TO_A_CPU)
    program["others"][0] = 192
    program.attach(net.server.eth0)
    kept = account(net)
    assert net.client.ping(net.server, count=4).received == 4
    kept.check()
    (row,) = (one for one in kept.balances if one.where == "server eth0")
    assert row.missing == 0
    assert row.passed >= 4
    net.close()


def test_what_a_cpu_map_drops_is_redirected_still(net):
    program = Program("to_a_cpu", TO_A_CPU)
    program.attach(net.server.eth0)
    kept = account(net)
    assert net.client.ping(net.server, count=2, wait=0.2).received == 0
    (row,) = (one for one in kept.balances if one.where == "server eth0")
    assert row.passed == 0
    assert row.missing == 0


def test_the_counter_of_exceptions_shows_itself(net):
    counter = Exceptions()
    assert repr(counter) == "not counting yet: with Exceptions() as aborted: begins"
    with pytest.raises(LabError, match="not counting yet"):
        counter.of(net.server.eth0)
    Program("xdp_aborted").attach(net.server.eth0)
    with counter:
        net.client.ping(net.server, count=2, wait=0.2)
    assert counter.of(net.server.eth0) >= 1
    assert repr(counter).endswith("of all programs; of(INTERFACE) gives its own")


def test_a_network_that_is_gone_says_so(net):
    from labsetup.pictures.network import network_svg

    net.close()
    assert repr(net) == "the network of client, server is gone; run the cell that makes it"
    assert "is gone" in network_svg(net)
