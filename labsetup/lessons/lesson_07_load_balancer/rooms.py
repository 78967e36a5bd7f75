"""Rooms 4 to 6 of the museum: five servers behind lb, with lb_table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labsetup import (
    IP,
    TCP,
    VIP,
    Balancer,
    Connections,
    Ether,
    Program,
    balanced,
    capture,
    random_flows,
    segments,
    send,
)
from labsetup.lessons.offload import offload_everywhere, see_checksums
from labsetup.network.interface import packed_mac
from labsetup.network.network import Network
from labsetup.practice.museum import Failure, Hall
from labsetup.programs.sources import SOURCES

KEY = (2024, 204)
PER_PACKET = ("hash(&flow, &config->key)", "bpf_get_prandom_u32()")


def _balanced() -> Network:
    net = balanced()
    Balancer(net, "lb_table", KEY)
    return net


def _balances(net: Network) -> bool:
    """Whether connections live, lb sees their packets, and no server is left out."""
    before = net.lb.eth0.counters
    connections = Connections(net, 100).check()
    through_lb = (net.lb.eth0.counters - before)["xdp_tx"]
    shares = [one.alive for one in connections.tallies]
    return not connections.broken and through_lb > 100 and min(shares) > 0


def _quiet_about_vip(net: Network, quiet: int) -> None:
    """Set whether servers keep quiet about the VIP, and let the client ask once more."""
    for name in net.vip_hosts:
        net.hosts[name].run(f"sysctl -w net.ipv4.conf.all.arp_ignore={quiet}")
    for _ in range(20):  # the first answer wins, and lb's may be the first
        net.client.run("ip neigh flush dev eth0")
        if quiet or _who_has_vip(net) != "lb":
            return


def _who_has_vip(net: Network) -> str:
    """The host to which the client sends what is for the VIP."""
    Connections(net, 1, wait=0.5)
    said = net.client.run(f"ip neigh show {VIP}").output
    return next((h.name for h in net for i in h.interfaces.values() if i.mac in said), "nobody")


def _forget_flows(net: Network, forget: bool) -> None:
    source = (SOURCES / "lb_table.c").read_text()
    Balancer(net, Program("lb_table", source.replace(*PER_PACKET) if forget else source), KEY)


def _see_one_connection(net: Network) -> str:
    one = Ether(dst=net.lb.eth0.mac) / IP(dst=VIP) / TCP(sport=9, dport=80, flags="A")
    found = {Ether(seen).dst for seen in _sent_on(net, [one] * 20)}
    return f"MAC addresses that 20 packets of one connection went to: {len(found)}"


def _see_strangers(net: Network) -> str:
    flows = random_flows(200, clients="203.0.113.0/24")
    known = {net.hosts[name].eth0.mac for name in net.vip_hosts}
    sent_on = _sent_on(net, segments(flows, net.client.eth0, net.lb.eth0, "A"))
    strange = sum(Ether(seen).dst not in known for seen in sent_on)
    return f"of 200 frames that lb sent on, {strange} are for a MAC address that no server has"


def _sent_on(net: Network, packets: Sequence[Any]) -> list[bytes]:
    """What lb makes of packets that the client sends."""
    with capture(net.switch.eth1) as wire:
        send(net.client.eth0, packets)
    return [bytes(seen.packet) for seen in wire if not seen.sent and IP in seen.packet]


def _aim_s3(net: Network, mac: str) -> None:
    servers = net.lb.eth0.program["servers"]
    servers[2] = servers[2] | {"mac": packed_mac(mac)}


def _see_vip(net: Network) -> str:
    having = [n for n in net.vip_hosts if VIP in net.hosts[n].run("ip -4 address show dev lo")]
    return f"on their loopback {', '.join(having)} have {VIP}"


HALL = Hall(
    exercise="7.5",
    build=_balanced,
    works=_balances,
    failures=(
        Failure(
            name="ARP flux",
            shows="the client sends packets for the VIP to a server, past lb",
            look=lambda net: f"the client sends packets for the VIP to {_who_has_vip(net)}",
            cause=lambda net: _quiet_about_vip(net, 0),
            mend=lambda net: _quiet_about_vip(net, 1),
        ),
        Failure(
            name="per-packet hashing",
            shows="the packets of one connection go to several servers",
            look=_see_one_connection,
            cause=lambda net: _forget_flows(net, True),
            mend=lambda net: _forget_flows(net, False),
        ),
        Failure(
            name="wrong MAC address",
            shows="lb sends a share of the frames to a MAC address that no server has",
            look=_see_strangers,
            cause=lambda net: _aim_s3(net, "02:00:00:00:66:00"),
            mend=lambda net: _aim_s3(net, net.s3.eth0.mac),
        ),
        Failure(
            name="a server without the VIP",
            shows="one of the five servers does not have the VIP",
            look=_see_vip,
            cause=lambda net: net.s2.run(f"ip address del {VIP}/32 dev lo"),
            mend=lambda net: net.s2.run(f"ip address add {VIP}/32 dev lo"),
        ),
        Failure(
            name="checksum offload",
            shows="requests arrive with wrong checksums, and the servers count them",
            look=see_checksums,
            cause=lambda net: offload_everywhere(net, "on"),
            mend=lambda net: offload_everywhere(net, "off"),
        ),
    ),
    rooms={4: "per-packet hashing", 5: "a server without the VIP", 6: "ARP flux"},
)
