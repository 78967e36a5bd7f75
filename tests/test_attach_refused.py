"""What stands in the way of a program, told in words; what ran there before runs on."""

from __future__ import annotations

import re

import pytest
from bcc import BPF

from labsetup import LabError, Program
from labsetup.compiling.bcc import name_headers

NAMES_THE_CLIENT = "Peer MTU is too large.*client eth0 sends up to {} bytes.*-n client .*mtu 1500"


@pytest.fixture(autouse=True, scope="module")
def _silent_libbpf() -> None:
    """As after a BPF() of the reader's own."""
    name_headers()
    own = BPF(text=b"int own(struct xdp_md *ctx) { return XDP_PASS; }")
    own.load_func(b"own", BPF.XDP)
    own.cleanup()


@pytest.mark.parametrize("mtu", [3_800, 9_000, 65_535])
def test_the_other_end_sends_too_large_packets(net, mtu):
    net.client.run(f"ip link set eth0 mtu {mtu}")
    old, new = Program("xdp_pass"), Program("drop_icmp")
    with pytest.raises(LabError, match=NAMES_THE_CLIENT.format(mtu)):
        new.attach(net.server.eth0)
    assert net.server.eth0.xdp is None
    assert net.client.eth0.xdp is None
    old.attach(net.server.eth0, mode="generic")
    with pytest.raises(LabError, match="drop_icmp on server eth0"):
        new.attach(net.server.eth0)
    assert net.server.eth0.xdp == ("xdp_pass", "generic", old.id)
    assert old.places == [net.server.eth0]
    assert not new.places


def test_its_own_end_sends_too_large_packets(net):
    """It is the helper at the other end that would not have room for them."""
    net.server.run("ip link set eth0 mtu 4000")
    program = Program("xdp_drop")
    with pytest.raises(LabError, match=r"xdp_pass on client eth0.*server eth0 sends up to 4000"):
        program.attach(net.server.eth0)
    assert net.server.eth0.xdp is None
    program.attach(net.server.eth0, helper=False)
    assert net.server.eth0.xdp == ("xdp_drop", "native", program.id)
    assert net.client.eth0.xdp is None


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_the_advice_is_sound(net, mode):
    net.client.run("ip link set eth0 mtu 9000")
    program = Program("xdp_pass")
    with pytest.raises(LabError) as caught:
        program.attach(net.server.eth0)
    if mode == "native":
        (typed,) = re.findall(r"!(ip -n client .* mtu 1500)", str(caught.value))
        net.client.run(typed)
    program.attach(net.server.eth0, mode=mode)
    assert net.client.ping(net.server, count=1).received == 1


def test_more_queues_at_the_other_end(net):
    from labsetup import two_hosts

    net = two_hosts(queues=4)
    net.server.run("ethtool -L eth0 rx 1")
    with pytest.raises(LabError, match="ethtool -L eth0 tx") as caught:
        Program("xdp_pass").attach(net.server.eth0)
    (typed,) = re.findall(r"ethtool .*$", str(caught.value))
    net.client.run(typed)
    Program("xdp_pass").attach(net.server.eth0)
    net.close()


@pytest.mark.parametrize("mode", ["skb", "", None, 4, "Native"])
def test_modes_that_there_are_not(net, mode):
    with pytest.raises(LabError, match=r"use 'native' or 'generic'|a text as mode"):
        Program("xdp_pass").attach(net.server.eth0, mode=mode)


def test_an_interface_that_is_gone(net):
    place, program = net.server.eth0, Program("xdp_pass")
    program.attach(place)
    net.server.run("ip link delete eth0")
    for act in (lambda: program.attach(place), lambda: place.mtu, lambda: place.counters):
        with pytest.raises(LabError, match="server eth0 is gone; run the cell that makes"):
            act()
    assert "not attached" in program.summary
