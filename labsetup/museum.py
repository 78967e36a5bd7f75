"""The museum of failures: networks that worked until one thing was changed.

A hall has a network that works, and failures that can befall it. Each of its rooms shows one of
them and does not say which: the reader finds out with the tools of the trade. A wrong diagnosis is
answered with what was measured against it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .balancer import Balancer, Peers, rows
from .flows import Connections
from .hashing import random_flows
from .hosts import Interface, Network
from .packets import ICMP, IP, TCP, Ether, capture, segments, send
from .program import SOURCES, Program
from .routing import ecmp
from .sandbox import LabError
from .topologies import VIP, balanced, no_balancer, three_hosts


@dataclass(frozen=True)
class Failure:
    """One way to break what works.

    Attributes:
        name: what a diagnosis calls it.
        shows: what one would see if it were this.
        look: measures that, and says in words what one sees.
        cause: breaks the network.
        mend: makes it whole again.
    """

    name: str
    shows: str
    look: Callable[[Any], str]
    cause: Callable[[Any], object]
    mend: Callable[[Any], object]


@dataclass(frozen=True)
class Hall:
    """A network that works, and what can befall it.

    Attributes:
        build: makes it; what it returns goes to the reader, and to all functions here.
        works: whether it does what it is for.
        failures: all that are offered as a diagnosis; not each has a room.
        rooms: the failure in each, by its name; rooms are numbered through the museum.
    """

    build: Callable[[], Any]
    works: Callable[[Any], bool]
    failures: Sequence[Failure]
    rooms: Mapping[int, str]

    def failure(self, name: str) -> Failure | None:
        """The failure with this name, if it is offered here."""
        return next((one for one in self.failures if one.name == name), None)


def exhibit(room: int) -> Any:
    """A network in which one thing is broken.

    Args:
        room: its number; the exercise says which there are.
    """
    hall = hall_of(room)
    scene = hall.build()
    failure = hall.failure(hall.rooms[room])
    assert failure
    failure.cause(scene)
    return scene


def hall_of(room: int) -> Hall:
    """The hall that has this room.

    Raises:
        LabError: if none has.
    """
    for hall in HALLS.values():
        if room in hall.rooms:
            return hall
    halls = [f"{min(hall.rooms)} to {max(hall.rooms)} for {id}" for id, hall in HALLS.items()]
    how = "; a room is a number, without quotation marks" if isinstance(room, str) else ""
    raise LabError(f"the museum has the rooms {', '.join(halls)}, and no room {room!r}{how}")


# Lesson 05: middle forwards with the program `redirect`.


def _forwarding() -> Network:
    net = three_hosts()
    router = Program("redirect", capture=True)
    for port, interface in enumerate((net.middle.eth0, net.middle.eth1)):
        router["ports"][port] = interface
        _set_next_hop(router, port, interface, interface.peer.mac)
        router.attach(interface)
    return net


def _set_next_hop(router: Program, port: int, interface: Interface, mac: str) -> None:
    mapped = ipaddress.ip_address(f"::ffff:{interface.peer.addresses[0].ip}").packed
    destination, source = (bytes.fromhex(one.replace(":", "")) for one in (mac, interface.mac))
    router["next_hops"][{"byte": mapped}] = {
        "port": port,
        "destination": destination,
        "source": source,
    }


def _forwards(net: Network) -> bool:
    pinged = net.client.ping(net.server)
    return pinged.received == pinged.sent and net.client.connect(net.server).ok


def _send_ten(net: Network) -> None:
    """Ten frames from the client to the server, echo replies, which nobody answers."""
    send(net.client.eth0, IP(dst=str(net.server.eth0.addresses[0].ip)) / ICMP(type=0), count=10)


def _offload(net: Network, state: str) -> None:
    for host in (net.client, net.server):
        host.run(f"ethtool --offload eth0 tx {state}")


def _see_checksums(net: Network) -> str:
    def wrong() -> int:
        said = [host.run("nstat -asz TcpInCsumErrors").output for host in (net.client, net.server)]
        return sum(int(one.split()[2]) for one in said)

    before = wrong()
    net.client.connect(net.server)
    return f"TcpInCsumErrors grew by {wrong() - before} at the two ends of a TCP connection"


def _see_drops(net: Network) -> str:
    before = net.middle.eth0.counters
    _send_ten(net)
    drops = (net.middle.eth0.counters - before)["drops"]
    return f"the client sent ten frames, and middle eth0 counts {drops} drops"


def _aim(net: Network, mac: str) -> None:
    _set_next_hop(net.middle.eth0.ours.program, 1, net.middle.eth1, mac)


def _see_addresses(net: Network) -> str:
    with capture(net.server.eth0) as wire:
        _send_ten(net)
    arrived = [seen.packet[Ether].dst for seen in wire if not seen.sent]
    stray = sum(mac != net.server.eth0.mac for mac in arrived)
    return f"{len(arrived)} of ten frames reached the server, {stray} of them for another MAC"


def _see_lifetimes(net: Network) -> str:
    said = net.client.run(f"ping -c 1 -W 0.3 {net.server.eth0.addresses[0].ip}").output
    return f"«Time to live exceeded» {'comes' if 'Time to live' in said else 'does not come'} back"


FORWARDING = Hall(
    build=_forwarding,
    works=_forwards,
    failures=(
        Failure(
            name="checksum offload",
            shows="TCP arrives with wrong checksums, and who receives it counts them",
            look=_see_checksums,
            cause=lambda net: _offload(net, "on"),
            mend=lambda net: _offload(net, "off"),
        ),
        Failure(
            name="no program at the peer",
            shows="the driver cannot hand frames over, and counts them as drops",
            look=_see_drops,
            cause=lambda net: net.server.run("ip link set eth0 xdp off"),
            mend=lambda net: Program("xdp_pass").attach(net.server.eth0),
        ),
        Failure(
            name="wrong MAC address",
            shows="frames reach the server, and are for a MAC address that is not its own",
            look=_see_addresses,
            cause=lambda net: _aim(net, "02:00:00:00:07:00"),
            mend=lambda net: _aim(net, net.server.eth0.mac),
        ),
        Failure(
            name="TTL too small",
            shows="a router says «Time to live exceeded»",
            look=_see_lifetimes,
            cause=lambda net: net.client.run("sysctl -w net.ipv4.ip_default_ttl=1"),
            mend=lambda net: net.client.run("sysctl -w net.ipv4.ip_default_ttl=64"),
        ),
    ),
    rooms={1: "no program at the peer", 2: "checksum offload", 3: "wrong MAC address"},
)


# Lesson 07: five servers behind lb, with lb_table.

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
    servers = net.lb.eth0.ours.program["servers"]
    servers[2] = servers[2] | {"mac": bytes.fromhex(mac.replace(":", ""))}


def _see_vip(net: Network) -> str:
    having = [n for n in net.vip_hosts if VIP in net.hosts[n].run("ip -4 address show dev lo")]
    return f"on their loopback {', '.join(having)} have {VIP}"


def _see_servers_checksums(net: Network) -> str:
    def wrong() -> int:
        said = [net.hosts[n].run("nstat -asz TcpInCsumErrors").output for n in net.vip_hosts]
        return sum(int(one.split()[2]) for one in said)

    before = wrong()
    Connections(net, 20, wait=0.3)
    return f"TcpInCsumErrors grew by {wrong() - before} at the servers, for 20 connections"


def _offload_everywhere(net: Network, state: str) -> None:
    for host in net:
        for name in host.interfaces:
            host.run(f"ethtool --offload {name} tx {state}")


BALANCING = Hall(
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
            look=_see_servers_checksums,
            cause=lambda net: _offload_everywhere(net, "on"),
            mend=lambda net: _offload_everywhere(net, "off"),
        ),
    ),
    rooms={4: "per-packet hashing", 5: "a server without the VIP", 6: "ARP flux"},
)


# Lesson 08: four servers with to_owner, and nobody in front.


def _shared() -> Network:
    net = no_balancer()
    ecmp(net)
    Peers(net, "to_owner", KEY)
    return net


def _shares(net: Network) -> bool:
    """Whether connections live, also when the router has its next hops in another order."""
    ecmp(net)
    connections = Connections(net, 120)
    ecmp(net, net.vip_hosts[::-1])
    connections.check()
    ecmp(net)
    return not connections.broken


def _programs(net: Network) -> dict[str, Program]:
    """The lab's program at each server that has one."""
    found = {name: net.hosts[name].eth0.ours for name in net.vip_hosts}
    return {name: one.program for name, one in found.items() if one and one.program}


def _set_key(net: Network, key: tuple[int, int]) -> None:
    settings = net.s2.eth0.ours.program["settings"]
    settings[0] = settings[0] | {"key": {"word": list(key)}}


def _see_keys(net: Network) -> str:
    keys = {tuple(one["settings"][0]["key"]["word"]) for one in _programs(net).values()}
    return f"different keys in the servers' settings: {len(keys)}"


def _know(net: Network, *servers: str) -> None:
    """Let s3's table name only these servers."""
    places = tuple(net.vip_hosts.index(name) for name in servers)
    program = net.s3.eth0.ours.program
    program["tables"][program["active"][0]] = {"rows": rows(places, servers)}


def _see_tables(net: Network) -> str:
    owners = []
    for name, one in _programs(net).items():
        table = np.frombuffer(one["tables"][one["active"][0]]["rows"], np.uint16)
        owners.append(f"{len(np.unique(table))} at {name}")
    return f"servers that own rows in the table: {', '.join(owners)}"


def _see_xdp(net: Network) -> str:
    running = [name for name in net.vip_hosts if net.hosts[name].eth0.xdp]
    return f"XDP runs at {', '.join(running)}"


def _put_back(net: Network) -> None:
    key = net.s1.eth0.ours.program["settings"][0]["key"]["word"]
    Balancer(net, "to_owner", key, at=net.s4.eth0)


SHARING = Hall(
    build=_shared,
    works=_shares,
    failures=(
        Failure(
            name="another key",
            shows="a server has another key for the hash than its peers",
            look=_see_keys,
            cause=lambda net: _set_key(net, (204, 2024)),
            mend=lambda net: _set_key(net, KEY),
        ),
        Failure(
            name="a server left out",
            shows="in one server's table fewer servers own rows than in the others'",
            look=_see_tables,
            cause=lambda net: _know(net, "s1", "s2", "s3"),
            mend=lambda net: _know(net, *net.vip_hosts),
        ),
        Failure(
            name="no program",
            shows="at one server no XDP program runs",
            look=_see_xdp,
            cause=lambda net: net.s4.eth0.ours.program.detach(net.s4.eth0),
            mend=_put_back,
        ),
        Failure(
            name="checksum offload",
            shows="requests arrive with wrong checksums, and the servers count them",
            look=_see_servers_checksums,
            cause=lambda net: _offload_everywhere(net, "on"),
            mend=lambda net: _offload_everywhere(net, "off"),
        ),
    ),
    rooms={7: "a server left out", 8: "checksum offload", 9: "another key"},
)

HALLS = {"5.4": FORWARDING, "7.5": BALANCING, "8.4": SHARING}  # by exercise
