"""The balancers on a real network, with real connections."""

import re
import threading
import time

import numpy as np
import pytest

from labsetup import (
    VIP,
    Balancer,
    Connections,
    HealthChecks,
    LabError,
    Peers,
    Program,
    balanced,
    capture,
    flow_hash,
    modulo,
    random_flows,
    rendezvous,
    segments,
    send,
    services,
    table,
)
from labsetup.packets.craft import IP, TCP, Ether

KEY = (0x0123456789ABCDEF, 0xFEDCBA9876543210)
ALL = ["s1", "s2", "s3", "s4", "s5"]
REST = ["s1", "s2", "s4", "s5"]


@pytest.fixture(scope="module")
def net():
    network = balanced(5, ipv6=True)
    yield network
    network.close()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda net: Peers(net, "lb_memory"), 'as in Balancer(net, "lb_memory")'),
        (lambda net: Balancer(net, "to_owner"), 'as in Peers(net, "to_owner")'),
        (lambda net: Balancer(net, Program("second_chance")), 'as in Peers(net, "second_chance")'),
        (lambda net: Balancer(net, "lb_nat"), "with XdpNat(net): Connections(net, 100)"),
        (lambda net: Peers(net, "lb_nat"), "with XdpNat(net): Connections(net, 100)"),
        (lambda net: Balancer(net, "neighbours"), "as in Neighbours(net)"),
        (lambda net: Balancer(net, Program("neighbours")), "as in Neighbours(net)"),
        (lambda net: Peers(net, "neighbours"), "as in Neighbours(net)"),
    ],
)
def test_a_program_that_is_told_otherwise_is_refused(net, wrong, words):
    with pytest.raises(LabError, match=re.escape(words)):
        wrong(net)


@pytest.mark.parametrize("trial", range(3))
def test_rendezvous_breaks_what_it_must_and_modulo_nearly_all(net, trial):
    broken = {}
    for program in ("lb_modulo", "lb_rendezvous", "lb_table"):
        lb = Balancer(net, program, (trial, 1))
        connections = Connections(net, 1000)
        assert connections.broken == 0
        lb.use(*REST)
        connections.check()
        broken[program] = connections.broken
        if program != "lb_modulo":
            assert {t.server: t.reset for t in connections.tallies if t.reset} == {
                "s3": int((connections.at == "s3").sum())
            }
            assert not any(t.timed_out for t in connections.tallies)
    print(broken)
    assert broken["lb_modulo"] >= 750
    assert abs(broken["lb_rendezvous"] - 200) <= 45 and abs(broken["lb_table"] - 200) <= 45


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize(
    ("program", "way"), [("lb_modulo", modulo), ("lb_rendezvous", rendezvous), ("lb_table", table)]
)
def test_each_connection_is_where_python_expects_it(net, program, way, ipv6):
    Balancer(net, program, KEY)
    connections = Connections(net, 300, ipv6=ipv6)
    assert (connections.at == way(flow_hash(connections.flows, KEY), ALL)).all()


def test_any_server_for_any_packet_breaks_connections(net):
    Balancer(net, "lb_random", KEY)
    assert Connections(net, 200).broken > 100


def test_the_balancer_sees_every_request_and_no_reply(net):
    lb = Balancer(net, "lb_table", KEY)
    connections = Connections(net, 100)
    before, client = net.lb.eth0.counters, net.client.eth0.counters
    with capture(net.switch.eth1) as port:
        assert connections.check().broken == 0
    seen, sent = net.lb.eth0.counters - before, net.client.eth0.counters - client
    assert seen["rx_packets"] == seen["xdp_tx"] == sent["tx_packets"] >= 100
    assert sent["rx_packets"] >= 100
    # Each request passes lb's port twice, to lb and back; nothing comes from the VIP.
    assert len(port) == 2 * seen["rx_packets"]
    assert not [one for one in port if one.packet[IP].src == VIP]
    assert lb.program.places


def test_a_thousand_swaps_break_nothing_that_stays(net):
    lb = Balancer(net, "lb_table", KEY)
    connections = Connections(net, 500)
    done, rounds = threading.Event(), 0

    def swap() -> None:
        for turn in range(1000):
            lb.use(*(REST if turn % 2 == 0 else ALL))
        done.set()

    swapping = threading.Thread(target=swap)
    swapping.start()
    while not done.is_set():
        connections.check()
        rounds += 1
    swapping.join(60)
    connections.check()
    print(f"{rounds} rounds of questions during 1,000 swaps")
    assert rounds >= 5
    assert set(connections.at[~connections.alive]) == {"s3"}


def test_memory_drains_and_a_flood_makes_it_forget(net):
    lb = Balancer(net, "lb_memory", KEY)
    connections = Connections(net, 500)
    lb.use(*REST)
    assert connections.check().broken == 0
    assert "s3" not in Connections(net, 200).at  # new ones go elsewhere
    lb.use(*ALL)
    connections = Connections(net, 500)
    lb.use(*REST)
    flood = [segments(random_flows(40_000), net.client.eth0, net.lb.eth0, f) for f in ("S", "A")]
    send(net.client.eth0, [one for pair in zip(*flood, strict=True) for one in pair])
    connections.check()
    assert 0 < connections.broken < 500
    assert set(connections.at[~connections.alive]) == {"s3"}


def test_segments_are_frames_as_scapy_makes_them(net):
    flows = random_flows(300)
    for flow, raw in zip(flows, segments(flows, net.client.eth0, net.lb.eth0, "PA"), strict=True):
        packet = Ether(raw)
        assert packet[IP].src == ".".join(map(str, flow["source"][12:]))
        assert (packet[TCP].sport, packet[TCP].dport) == tuple(flow["ports"])
        del packet[IP].chksum, packet[TCP].chksum
        assert bytes(packet) == raw


@pytest.mark.alone
def test_a_killed_server_leaves_and_returns_in_time(net):
    lb = Balancer(net, "lb_table", KEY)
    Connections(net, 1)
    with HealthChecks(lb, interval=0.1, threshold=2) as checks:
        services(net)["s3"].stop()
        _until(lambda: lb.servers == REST, checks.within + 0.5)
        services(net)["s3"].start()
        _until(lambda: lb.servers == ALL, checks.within + 0.5)
    assert [(event.server, event.well) for event in checks.events] == [
        ("s3", False),
        ("s3", True),
    ]


@pytest.mark.alone
def test_a_dead_link_is_noticed_in_time(net):
    lb = Balancer(net, "lb_memory", KEY)
    connections = Connections(net, 200, wait=1)
    with HealthChecks(lb, interval=0.1, threshold=3) as checks:
        net.s2.run("ip link set eth0 down")
        try:
            _until(lambda: "s2" not in lb.servers, checks.within + 0.5)
            connections.check()  # those of s2 are told so at once, by another server's reset
            assert {t.server for t in connections.tallies if t.reset} == {"s2"}
            assert not any(t.timed_out for t in connections.tallies)
        finally:
            net.s2.run("ip link set eth0 up")


@pytest.mark.alone
@pytest.mark.parametrize("program", ["lb_table", "lb_memory"])
def test_while_servers_come_and_go_no_syn_is_left_to_the_balancer(net, program):
    """With an address blanked too soon, lb's own stack answered some with a reset."""
    lb = Balancer(net, program, KEY)
    frames = segments(random_flows(500, clients="203.0.113.0/24"), net.client.eth0, net.lb.eth0)
    ended, changes = threading.Event(), 0

    def change():
        nonlocal changes
        while not ended.is_set():
            for gone in ({"s3"}, {"s1", "s2"}, set()):
                lb.gone = gone
                lb.use(*(REST if "s3" in gone else ALL))
            lb.use("s1", "s2", s3=3, s4=0)
            lb.leave_out({"s5"})
            lb.leave_out(())
            changes += 6

    changing = threading.Thread(target=change)
    before, begun, sent = net.lb.eth0.counters, time.monotonic(), 0
    with capture(net.lb.eth0) as passed:
        changing.start()
        try:
            while (sent < 60_000 or changes < 300) and time.monotonic() - begun < 60:
                send(net.client.eth0, frames)
                sent += len(frames)
        finally:
            ended.set()
            changing.join()
    counted = net.lb.eth0.counters - before
    print(f"{sent:,} SYNs during {changes} changes")
    assert sent >= 60_000 and changes >= 300
    assert counted["xdp_tx"] == sent
    assert not [one for one in passed if IP in one.packet and one.packet[IP].dst == VIP]
    lb.gone = {"s3"}
    lb.use(*ALL)
    assert lb.program["servers"][2]["mac"] == bytes(6) and lb.servers == REST


def _until(true, limit: float) -> None:
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < limit
        time.sleep(0.005)  # polls


def test_no_server_at_all(net):
    lb = Balancer(net, "lb_table", KEY)
    lb.use()
    connections = Connections(net, 20)
    assert connections.broken == 20 and set(connections.at) == {"nobody"}


def test_what_a_balancer_does_not_take(net):
    lb = Balancer(net, "lb_table", KEY)
    with pytest.raises(LabError, match="s1, s2, s3, s4, s5: 's9' is none of them"):
        lb.use("s1", "s9")
    with pytest.raises(LabError, match=r"\['s1'\] is none of them"):
        lb.use(["s1"])  # type: ignore[arg-type]  # the mistake that is answered
    with pytest.raises(LabError, match=r"takes numbers such as .* as key"):
        Balancer(net, "lb_table", 2024)  # type: ignore[arg-type]  # the mistake that is answered
    assert lb.servers == ALL
    with pytest.raises(LabError, match="interval"):
        HealthChecks(lb, interval=0)
    with pytest.raises(LabError, match="there is no server s9; there are s1"):
        lb.share("s9")


def test_the_share_of_the_table(net):
    lb = Balancer(net, "lb_table", KEY)
    assert np.isclose(sum(lb.share(name) for name in ALL), 1)
    lb.use("s1", "s2")
    assert lb.share("s3") == 0 and 0.49 < lb.share("s1") < 0.51


@pytest.mark.parametrize("program", ["lb_table", "lb_memory"])
def test_a_servers_share_is_its_weights(net, program):
    lb = Balancer(net, program, KEY)
    lb.use(s1=3, s2=1)
    assert lb.servers == ["s1", "s2"]
    assert lb.share("s1") == pytest.approx(0.75, abs=0.01) and lb.share("s5") == 0
    connections = Connections(net, 400)
    assert 0.68 < (connections.at == "s1").mean() < 0.82
    assert set(connections.at) == {"s1", "s2"}
    lb.use("s1", "s2", "s4", "s5", s3=0.5)
    assert lb.share("s3") == pytest.approx(0.5 / 4.5, abs=0.01)
    lb.use(*ALL, s3=0)  # a drain
    assert lb.servers == REST and lb.share("s3") == 0
    assert "s3" not in Connections(net, 100).at


def test_weights_move_only_what_they_must(net):
    """A row goes to a server whose weight grew, or away from one whose weight fell."""
    rows = {}
    for name, weights in {"alike": {}, "twice": {"s3": 2}, "ten": {"s3": 10}, "all": {}}.items():
        lb = Balancer(net, "lb_table", KEY)
        lb.use(*ALL, **(dict.fromkeys(ALL, 7) if name == "all" else weights))
        active = lb.program["active"][0]
        rows[name] = np.frombuffer(lb.program["tables"][active]["rows"], np.uint16)
    assert (rows["alike"] == rows["all"]).all()  # only what the weights are to each other counts
    assert np.mean(rows["twice"] == 2) == pytest.approx(1 / 3, abs=0.01)
    for before, after in (("alike", "twice"), ("twice", "ten")):
        moved = rows[before] != rows[after]
        assert set(rows[after][moved]) == {2} and moved.any()


@pytest.mark.parametrize("program", ["lb_modulo", "lb_rendezvous", "lb_random", "lb_xor"])
def test_a_loop_has_no_weights_and_says_so(net, program):
    lb = Balancer(net, program, KEY)
    with pytest.raises(
        LabError, match=f"{program} gives every server the same share; weights want"
    ):
        lb.use(s1=3, s2=1)
    assert lb.servers == ALL
    lb.use(*ALL, s3=0)  # who gets nothing is just left out
    assert lb.servers == REST


@pytest.mark.parametrize("weight", [-1, "3", float("nan"), float("inf"), None])
def test_what_is_no_weight(net, weight):
    lb = Balancer(net, "lb_table", KEY)
    with pytest.raises(LabError, match="a weight is a number from 0 on"):
        lb.use(s1=weight)
    with pytest.raises(LabError, match="'s9' is none of them"):
        lb.use(s9=1)
    assert lb.servers == ALL


def test_a_balancer_of_a_network_that_is_gone():
    gone = balanced()
    lb = Balancer(gone, "lb_table", KEY)
    gone.close()
    with pytest.raises(LabError, match="make one anew"):
        lb.use("s1")
