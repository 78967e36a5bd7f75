"""What the lessons promise, on the wire and more often than they show it."""

from __future__ import annotations

import ipaddress

import pytest

from labsetup import Program, capture, record, send, three_hosts, two_hosts
from labsetup.packets.craft import ICMP, IP, Ether

SIZES = [*range(0, 40), 63, 64, 65, 255, 256, 257, 999, 1000, 1398, 1399, 1400]


def counter_of(host, name: str) -> int:
    """A counter of the host's stack."""
    return int(host.run(f"nstat -asz {name}").output.split()[2])


def router(net):
    """redirect on both sides of middle, with its maps filled for IPv4 and IPv6."""
    program = Program("redirect", capture=True)
    for port, interface in enumerate((net.middle.eth0, net.middle.eth1)):
        program["ports"][port] = interface
        macs = [bytes.fromhex(i.mac.replace(":", "")) for i in (interface.peer, interface)]
        hop = {"port": port, "destination": macs[0], "source": macs[1]}
        for address in interface.peer.addresses:
            mapped = address.ip if address.version == 6 else f"::ffff:{address.ip}"
            program["next_hops"][{"byte": ipaddress.ip_address(mapped).packed}] = hop
        program.attach(interface)
    return program


@pytest.mark.parametrize(
    ("address", "count"), [("192.0.2.2", "IcmpInEchos"), ("2001:db8::2", "Icmp6InEchos")]
)
def test_xdp_answers_every_ping_and_the_stack_sees_none(address, count):
    net = two_hosts(ipv6=True)
    Program("echo_reply").attach(net.server.eth0)
    ping = net.client.ping(address, count=100, interval=0.002)
    assert (ping.sent, ping.received) == (100, 100)
    for size in SIZES:
        assert net.client.ping(address, count=1, size=size).received == 1, size
    assert counter_of(net.server, count) == 0


def test_a_frame_is_sent_back_only_where_the_other_end_takes_it(net):
    swap = Program("mac_swap")
    for helper, came_back in ((False, 0), (True, 10)):
        swap.attach(net.server.eth0, helper=helper)
        before = net.server.eth0.counters
        with capture(net.client.eth0) as wire:
            send(net.client.eth0, Ether(type=0x88B5) / b"experiment", count=10)
        assert sum(not seen.sent for seen in wire) == came_back
        counted = net.server.eth0.counters - before
        assert (counted["xdp_tx"], counted["xdp_tx_errors"]) == (came_back, 10 - came_back)


def test_xdp_forwards_and_the_stack_does_not():
    net = three_hosts()
    program = router(net)
    with record(program) as seen:
        assert net.client.ping(net.server, count=50, interval=0.002).received == 50
        assert net.client.ping("2001:db8:2::2", count=50, interval=0.002).received == 50
        assert net.client.connect(net.server).ok
    assert counter_of(net.middle, "IpForwDatagrams") == 0
    assert {fate.verdict for fate in seen if fate.packet.haslayer(ICMP)} == {"XDP_REDIRECT"}


def test_a_packet_whose_time_is_up_is_answered_by_the_stack():
    net = three_hosts()
    router(net)
    assert "Time to live exceeded" in net.client.run("ping -c 1 -W 1 -t 1 192.0.2.66")
    assert "Hop limit" in net.client.run("ping -c 1 -W 1 -t 1 2001:db8:2::2")


def test_checksum_offload_lets_pings_pass_and_stops_tcp():
    net = three_hosts()
    router(net)
    for state, works in (("on", False), ("off", True)):
        for host in (net.client, net.server):
            host.run(f"ethtool --offload eth0 tx {state}")
        assert net.client.ping(net.server).received == 3
        assert net.client.connect(net.server).ok is works
    assert counter_of(net.server, "TcpInCsumErrors") == 1


def test_one_name_is_blocked(net):
    names = net.server.start(
        "dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --pid-file= --no-resolv "
        "--no-hosts --log-facility=- --listen-address=192.0.2.2 --bind-interfaces "
        "--address=/good.example/192.0.2.80 --address=/bad.example/192.0.2.81"
    )
    names.wait_for("started")
    block = Program("dns_block")
    block["blocked"][{"text": b"\3bad\7example"}] = 0
    block.attach(net.server.eth0)

    def ask(name, options=""):
        return net.client.run(f"dig @192.0.2.2 {name} +short +tries=1 +timeout=1 {options}").output

    assert ask("good.example").strip() == "192.0.2.80"
    assert "192.0.2.81" not in ask("BAD.example")
    assert ask("bad.example", "+tcp").strip() == "192.0.2.81"
    assert list(block["blocked"].values()) == [1]


def test_the_forgotten_carry():
    """The packet on which an addition without end-around carry goes wrong."""
    run = Program("echo_reply").run(Ether() / IP() / ICMP(id=0xFEFF))
    (change,) = [f for f in run.changes if (f.layer, f.name) == ("ICMP", "chksum")]
    assert repr(change) == "ICMP chksum: 0xf8ff (right) → 0x100 (right)"
