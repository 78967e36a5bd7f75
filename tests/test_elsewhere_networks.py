"""Programs in libbpf's C on real wires: what hosts that know nothing of them experience."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.elsewhere import as_kept, entry, made, records, why_not

from labsetup import (
    ARP,
    ICMP,
    IP,
    TCP,
    UDP,
    VIP,
    Dot1Q,
    Ether,
    Program,
    Raw,
    balanced,
    capture,
    send,
    three_hosts,
    two_hosts,
)
from labsetup.network.network import Network

TRACE = Path("/sys/kernel/tracing")


@pytest.fixture
def six() -> Iterator[Network]:
    """client and server with IPv6 as well."""
    net = two_hosts(ipv6=True)
    yield net
    net.close()


@pytest.fixture
def three() -> Iterator[Network]:
    """client, middle, server."""
    net = three_hosts()
    yield net
    net.close()


def at(net: Network, name: str, constants: dict[str, Any] | None = None) -> Program:
    """A program, attached to the server."""
    if reason := why_not(name):
        pytest.skip(reason)
    program = made(name, constants)
    program.attach(net.server.eth0)
    return program


def datagram(net: Network, port: int, listening: int) -> bool:
    """Whether a datagram to a port of the server arrives at a socket that listens there."""
    with net.server.inside():
        theirs = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with net.client.inside():
        ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with theirs, ours:
        theirs.bind((net.server.address, listening))
        theirs.settimeout(0.5)
        ours.sendto(b"hello", (net.server.address, port))
        try:
            return theirs.recv(100) == b"hello"
        except TimeoutError:
            return False


def test_one_that_drops(net):
    program = at(net, "xdp_drop_func")
    assert net.client.ping(net.server, wait=0.2).received == 0
    program.detach()
    assert net.client.ping(net.server).received == 3


def test_counts_by_action(six):
    program = at(six, "stats_by_action")
    assert six.client.ping(six.server, count=4).received == 4
    assert six.client.ping("2001:db8::2", count=2, wait=0.2).received == 0
    assert entry(program, "xdp_stats_map", 2)["rx_packets"] >= 4
    assert entry(program, "xdp_stats_map", 1)["rx_packets"] >= 1


def test_every_other_ping_over_ipv6(six):
    at(six, "parse_icmp6_even")
    assert six.client.ping("2001:db8::2", count=6, wait=0.3).received == 3  # 1, 3, 5
    assert six.client.ping(six.server, count=2).received == 2


def test_a_tag_is_taken_off(net):
    assert net.client.ping(net.server).received == 3  # else the server's question would get a tag
    at(net, "vlan_swap")
    with capture(net.client) as seen:
        send(net.client.eth0, Dot1Q(vlan=7) / IP() / ICMP(id=5, seq=6))
    (reply,) = [one.packet for one in seen if not one.sent and one.packet.haslayer(ICMP)]
    assert (reply[ICMP].type, reply[ICMP].id, reply[ICMP].seq) == (0, 5, 6)


def test_a_tag_is_put_on(net):
    assert net.client.ping(net.server).received == 3
    at(net, "vlan_swap")  # VLAN 1 has no interface at the server
    assert net.client.ping(net.server, wait=0.2).received == 0


def test_a_datagram_comes_in_at_the_port_below(net):
    assert not datagram(net, 5001, 5000)
    at(net, "dport_minus_one")
    assert datagram(net, 5001, 5000)


def test_pings_are_answered_where_the_host_answers_none(net):
    net.server.run("sysctl -w net.ipv4.icmp_echo_ignore_all=1")
    assert net.client.ping(net.server, wait=0.2).received == 0
    at(net, "icmp_echo_server")
    assert net.client.ping(net.server).received == 3


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_a_router_by_the_kernels_own_routes(three, mode):
    # What the stack would forward ends here: who passes has passed through XDP.
    for family in ("ip", "ip6"):
        three.middle.run(f"nft add table {family} stop")
        hook = "{ type filter hook forward priority 0; policy drop; }"
        three.middle.run(["nft", f"add chain {family} stop here {hook}"])
    assert three.client.ping(three.server, wait=0.2).received == 0
    program = made("fib_router")
    for interface in (three.middle.eth0, three.middle.eth1):
        program.attach(interface, mode=mode)
    # Whom the router has not asked for yet, bpf_fib_lookup() leaves to the stack.
    for neighbour in ("192.0.2.1", "192.0.2.66", "2001:db8:1::1", "2001:db8:2::2"):
        assert three.middle.ping(neighbour, count=1).received == 1
    with capture(three.server) as seen:
        assert three.client.ping(three.server).received == 3
        assert three.client.ping("2001:db8:2::2").received == 3
    assert {one.packet[IP].ttl for one in seen if not one.sent and IP in one.packet} == {63}


def test_a_frame_leaves_by_the_port_of_a_device_map(three):
    program = made("redirect_map")
    program["tx_port"][0] = three.middle.eth1
    program["redirect_params"][three.client.eth0.packed_mac] = three.server.eth0.packed_mac
    for interface in (three.middle.eth0, three.middle.eth1):
        program.attach(interface)
    with capture(three.server) as seen:
        send(three.client.eth0, IP(dst="192.0.2.66", ttl=9) / UDP(dport=9))
    (packet,) = [one.packet for one in seen if not one.sent and UDP in one.packet]
    assert (packet.dst, packet[IP].ttl) == (three.server.eth0.mac, 9)  # a router would have taken 1


def test_what_is_for_everybody_goes_everywhere(three):
    program = made("broadcast_egress")
    for port, interface in enumerate((three.middle.eth0, three.middle.eth1)):
        with three.middle.inside():
            program["forward_map"][port] = struct.pack("=Ii", interface.index, 0)
        program.attach(interface)
    everybody = Ether(dst="ff:ff:ff:ff:ff:ff", src=three.client.eth0.mac)
    with capture(three.server, three.client) as seen:
        send(three.client.eth0, everybody / ARP(pdst="192.0.2.99"))
    came = [one for one in seen if not one.sent and ARP in one.packet]
    assert [(one.interface.host.name, one.packet[ARP].pdst) for one in came] == [
        ("server", "192.0.2.99")
    ]


def test_pings_go_on_on_another_cpu(net):
    program = at(net, "cpumap_spread")
    assert net.client.ping(net.server, wait=0.2).received == 0
    program["cpu_map"][0] = struct.pack("=II", 192, 0)
    program["cpus_available"][0] = 0
    program["cpus_count"][0] = 1
    assert net.client.ping(net.server).received == 3


def test_a_balancer_and_a_server_that_opens_what_it_sent():
    net = balanced(servers=1)
    try:
        lb = made("katran_vips")
        vip = socket.inet_aton(VIP) + bytes(12) + (80).to_bytes(2, "big") + bytes([6, 0])
        lb["vip_map"][vip] = {"flags": 0, "vip_num": 0}
        lb["reals"][3] = {"dst": as_kept(net.s1.address), "flags": 0}
        lb["ctl_array"][0] = {"mac": net.s1.eth0.packed_mac}
        for place in range(7):
            lb["ch_rings"][place] = 3
        lb.attach(net.lb.eth0)
        opens = made("decap_ipip")
        assert not served(net)
        opens.attach(net.s1.eth0)
        assert served(net)
        assert entry(lb, "stats", 0)["v1"] >= 3
        assert entry(opens, "decap_counters", 0)["decapped"] >= 3
    finally:
        net.close()


def served(net: Network) -> bool:
    """Whether a connection to the VIP reaches the server."""
    with net.s1.inside():
        listener = socket.create_server((VIP, 80))
    with net.client.inside():
        ours = socket.socket()
    with listener, ours:
        listener.settimeout(0.5)
        ours.settimeout(0.5)
        try:
            ours.connect((VIP, 80))
            with listener.accept()[0] as theirs:
                theirs.sendall(b"served")
                return ours.recv(10) == b"served"
        except OSError:
            return False


def test_a_firewall_of_both_families(six):
    program = at(six, "lpm_firewall")
    assert six.client.ping(six.server).received == 3
    program["rules4"]["192.0.2.0/25"] = {"hits": 0, "action": 1}
    program["rules6"]["2001:db8::/32"] = {"hits": 0, "action": 1}
    assert six.client.ping(six.server, wait=0.2).received == 0
    assert six.client.ping("2001:db8::2", wait=0.2).received == 0
    assert program["rules4"]["192.0.2.0/25"]["hits"] == 3
    program["rules4"]["192.0.2.1/32"] = {"hits": 0, "action": 2}
    assert six.client.ping(six.server).received == 3


def test_jumps_that_change_while_it_runs(net):
    program = at(net, "tail_calls_from_outside")
    assert net.client.ping(net.server).received == 3
    program["jumps"][1] = program.functions["drop_icmp"]
    assert net.client.ping(net.server, wait=0.2).received == 0
    assert datagram(net, 5000, 5000)
    del program["jumps"][1]
    assert net.client.ping(net.server).received == 3
    assert program["seen"][1] == 3


def test_a_connection_leaves_an_event(net):
    program = at(net, "events_ringbuf")
    assert net.client.connect(net.server, port=8080)
    (event,) = records(program)
    assert event["dport"] == 8080
    assert event["saddr"] == as_kept(net.client.address)


def test_a_flow_is_both_hello_and_goodbye(net):
    program = at(net, "flow_table")
    assert net.client.connect(net.server, port=8080)
    (flow,) = program["flows"]
    assert (flow["daddr"], flow["dport"], flow["proto"]) == (as_kept(net.server.address), 8080, 6)
    assert program["flows"][flow].sum["packets"] >= 4


def test_a_bucket_runs_empty(net):
    program = at(net, "token_bucket", {"rate": 0, "burst": 4})
    assert net.client.ping(net.server, count=6, wait=0.2).received == 4
    assert program["buckets"][as_kept(net.client.address)]["dropped"] == 2


def test_a_bucket_fills_again(net):
    at(net, "token_bucket", {"rate": 1000, "burst": 1})
    assert net.client.ping(net.server, count=5, interval=0.05).received == 5


def test_a_sender_hears_that_its_packet_is_too_big(net):
    program = at(net, "icmp_too_big", {"max_pcktsz": 700})
    said = net.client.run(f"ping -M do -c 1 -W 0.5 -s 900 {net.server.address}").output
    assert "mtu = 686" in said or "mtu=686" in said
    assert program.variables["icmpcnt"] == 1
    assert net.client.ping(net.server, size=600).received == 3


def test_a_syn_is_answered_before_there_is_a_service(net):
    program = at(net, "syn_proxy", {"port": 8080})
    with capture(net.client) as seen:
        send(net.client.eth0, IP() / TCP(sport=9, dport=8080, flags="S", seq=99))
    (answer,) = [one.packet[TCP] for one in seen if not one.sent and TCP in one.packet]
    assert (answer.flags, answer.ack, answer.sport) == ("SA", 100, 8080)
    send(net.client.eth0, IP() / TCP(sport=9, dport=8080, flags="A", seq=100, ack=answer.seq + 1))
    assert list(program["allowed"]) == [as_kept(net.client.address)]


def test_frames_larger_than_a_page(net):
    for host in (net.client, net.server):
        host.run("ip link set eth0 mtu 9000")
    if reason := why_not("frags_tail"):
        pytest.skip(reason)
    program = made("frags_tail", {"stop": 0x5A})
    program.attach(net.server.eth0, helper=False)  # the helper takes no such frames
    ping = f"ping -c 2 -i 0.05 -W 0.3 -M do -s 8000 -p {{}} {net.server.address}"
    assert " 2 received" in net.client.run(ping.format("a5")).output
    assert program.variables["length"] == 8042
    assert " 0 received" in net.client.run(ping.format("5a")).output


def test_a_line_in_the_trace(net):
    if not (TRACE / "trace").exists():
        pytest.skip("this kernel has no tracing")
    at(net, "printk_ports")
    send(net.client.eth0, IP() / UDP(sport=4001, dport=4002) / Raw(b"x"))
    lines = [one for one in (TRACE / "trace").read_text().splitlines() if "xdp_look" in one]
    assert lines and lines[-1].endswith("xdp_look: 192.0.2.1 port 4001 to 4002")
