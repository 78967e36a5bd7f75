"""Ways to balance: that each does, what servers see of it, what it leaves, what breaks."""

import os
from pathlib import Path

import pytest
from support.pictures import drawn

from labsetup import (
    VIP,
    Balancer,
    Direct,
    Flood,
    HAProxy,
    LabError,
    NftDnat,
    NftIngress,
    NftMasquerade,
    Program,
    Xdp,
    XdpNat,
    balanced,
    breaks,
    capture,
    compare,
    requests,
)
from labsetup.rivals.ipvs import IpvsMaglev, IpvsSource
from labsetup.rivals.ways import XdpMemory

CLIENT, LB = "192.0.2.1", "192.0.2.2"


@pytest.fixture(scope="module")
def five():
    net = balanced()
    yield net
    net.close()


def usable(way):
    if way.missing:
        pytest.skip(way.missing)
    return way


def state(net):
    """What a way may change on the network's hosts."""
    said = [host.run("ip route").output for host in net]
    with net.lb.inside():
        settings = "ip_forward", "conf/all/send_redirects", "conf/eth0/send_redirects"
        said += [Path(f"/proc/sys/net/ipv4/{name}").read_text() for name in settings]
    return said, net.lb.eth0.xdp, net.lb.eth0.peer.xdp, net.lb.pids, os.listdir("/run/netns")


@pytest.mark.parametrize(
    "kind, servers, source",
    [
        (Direct, 1, CLIENT),
        (Xdp, 5, CLIENT),
        (XdpMemory, 5, CLIENT),
        (XdpNat, 5, CLIENT),
        (NftIngress, 5, CLIENT),
        (IpvsMaglev, 5, CLIENT),
        (IpvsSource, 5, CLIENT),
        (NftDnat, 5, CLIENT),
        (NftMasquerade, 5, LB),
        (HAProxy, 5, LB),
    ],
)
def test_a_way_balances_and_leaves_nothing(five, kind, servers, source):
    way, before = usable(kind(five)), state(five)
    with way:
        asked = requests(five, 400)
    assert (asked.number, asked.reset, asked.timed_out) == (400, 0, 0)
    assert len(asked.servers) == servers and min(asked.servers.values()) > 30
    assert asked.sources == {source}
    assert 20 < asked.cost < 5000
    assert way.commands and way.commands[-1] in repr(way)
    assert state(five) == before
    if five.lb.has("nft"):
        assert five.lb.run("nft list ruleset").output == ""


def test_requests_that_nobody_answers(five):
    five.client.run(f"ip route replace {VIP} via 192.0.2.2")  # lb, which has the VIP and no server
    try:
        asked = requests(five, 40)
    finally:
        five.client.run(f"ip route replace {VIP} dev eth0")
    assert (asked.number, asked.reset) == (0, 40)
    with pytest.raises(LabError, match="100,000"):
        requests(five, 0)


@pytest.mark.parametrize(
    "kind, drained, lost",
    [
        (Xdp, (0.1, 0.32), (0, 0)),
        (XdpMemory, (0, 0), (0, 0)),
        (XdpNat, (0.1, 0.32), (0, 0)),
        (NftIngress, (0.1, 0.32), (0, 0)),  # the same rows
        # Without rows nft cuts the hash into regions: removing the last of N moves half, RFC 2992.
        (lambda net: NftIngress(net, rows=0), (0.36, 0.64), (0, 0)),
        (IpvsMaglev, (0, 0), (0, 0)),
        (IpvsSource, (0, 0), (0, 0)),
        (NftDnat, (0, 0), (0.65, 0.95)),
        (NftMasquerade, (0, 0), (0.65, 0.95)),
        (HAProxy, (0, 0), (1, 1)),
    ],
)
def test_what_breaks(five, kind, drained, lost):
    shares = breaks(usable(kind(five)), 200)
    for share, (least, most) in zip(shares, (drained, lost), strict=True):
        assert least <= share <= most
    assert five.lb.pids == []


def test_a_kernel_without_ipvs_says_so(five):
    for kind in (IpvsMaglev, IpvsSource):
        way = kind(five)
        if way.missing:
            assert way.missing.startswith("this kernel has no IPVS")
            with pytest.raises(LabError, match=f"IPVS {way.scheduler} failed"):
                way.__enter__()
        found = compare(five, 1, 8, 0, connections=0, ways=(Direct, kind))
        assert way.missing in repr(found)


@pytest.mark.parametrize("kind", [Direct, Xdp, XdpNat, NftDnat, HAProxy])
def test_a_way_is_told_who_serves_within_its_block(five, kind):
    way = kind(five)
    outside = rf"is in force within its block: with {kind.__name__}\(net\) as way:"
    with pytest.raises(LabError, match=outside):
        way.use("s1")
    if way.missing:
        pytest.skip(way.missing)
    with way:
        with pytest.raises(LabError, match="there is no server 's9'; there are: s1, s2, s3"):
            way.use("s1", "s9")
        with pytest.raises(LabError, match="name a server at least; there are: s1"):
            way.use()
        way.use("s2")
    with pytest.raises(LabError, match=outside):
        way.use("s1")


def test_a_tool_that_is_missing(five, monkeypatch):
    monkeypatch.setattr("labsetup.network.namespace.shutil.which", lambda command: None)
    assert "apt-get install nftables" in NftDnat(five).missing
    with pytest.raises(LabError, match="apt-get install haproxy"):
        HAProxy(five).__enter__()


def test_frames_of_the_flood_are_right_and_of_many_flows(five):
    with Flood(five) as flood, capture(five.lb.eth0) as seen:
        # With no balancer the stack of lb takes them, and says that nobody listens.
        assert flood.send(500).sent == 500
    frames = [one.packet for one in seen if not one.sent and one.packet.haslayer("UDP")]
    assert len(frames) == 500
    assert len({(one["IP"].src, one["UDP"].sport) for one in frames}) > 400
    for one in frames:
        fresh = one.copy()
        del fresh["IP"].chksum, fresh["UDP"].chksum
        assert bytes(fresh) == bytes(one)  # scapy makes the same checksums
        assert (one["IP"].dst, one["UDP"].dport) == (VIP, 80)


@pytest.mark.alone
@pytest.mark.parametrize(
    "kind", [Xdp, XdpMemory, XdpNat, NftIngress, IpvsMaglev, IpvsSource, NftDnat]
)
def test_each_live_frame_comes_back_balanced(five, kind):
    with usable(kind(five)), Flood(five) as flood:
        before = five.lb.eth0.counters
        burst = flood.send(60_001)
        counted = five.lb.eth0.counters - before
    assert burst.sent == burst.arrived == 60_001
    if issubclass(kind, Xdp):
        assert counted["xdp_packets"] == counted["xdp_tx"] == 60_001
    assert five.lb.eth0.xdp is None and five.lb.eth0.peer.xdp is None


def test_live_frames_on_an_old_kernel(five, monkeypatch):
    class Old:
        release = "5.15.0"

    flood = Flood(five)
    monkeypatch.setattr("labsetup.libbpf.runs.FLAG_LIVE_FRAMES", 1 << 30)  # as unknown there
    monkeypatch.setattr("labsetup.libbpf.runs.os.uname", lambda: Old)
    with pytest.raises(LabError, match=r"live frames need Linux 5\.18"):
        flood.__enter__()
    assert five.lb.eth0.peer.xdp is None
    found = compare(five, 1, 40, 100, connections=0, ways=(Direct, Xdp))
    assert "live frames need Linux 5.18" in repr(found)
    assert len(found["XDP"].costs) == 1


def test_a_comparison_with_a_program_at_lb(five):
    """It would balance in every way's place, and every way would cost what it costs."""
    Balancer(five, "lb_table")
    with pytest.raises(LabError, match="lb runs lb_table, which would take the packets"):
        compare(five, 1)
    five.lb.eth0.program.detach()


def test_a_comparison_of_no_rounds(five):
    with pytest.raises(
        LabError, match="the number of rounds is a whole number from 1 to 100, not 0"
    ):
        compare(five, rounds=0)


@pytest.mark.alone
def test_a_comparison(five):
    """Generous bounds: they hold on a machine that has other things to do."""
    for tool in (NftDnat, HAProxy):
        usable(tool(five))
    found = compare(
        five, 3, 600, 10_000, connections=0, ways=(Direct, Xdp, NftIngress, NftDnat, HAProxy)
    )
    assert found.cost("XDP", "HAProxy") < 0.8
    assert found.cost("XDP", "nft DNAT") < 1.2
    assert found.cost("direct", "XDP") < 1.1
    assert found.frames("XDP", "nft DNAT") > 2.5
    assert all(one.failed == 0 for one in found.values())
    assert "1.00 ×" in repr(found)
    assert "HAProxy" in drawn(found.plot())["text/plain"]


def test_flood_needs_its_room():
    assert Program("flood").run(bytes(41)).verdict == "XDP_PASS"
