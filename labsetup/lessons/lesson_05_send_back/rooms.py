"""Rooms 1 to 3, and 10: middle forwards with `redirect`, the server answers with `echo_reply`."""

from __future__ import annotations

import ipaddress

from labsetup import ICMP, IP, Ether, Program, capture, send, three_hosts
from labsetup.network.interface import Interface, packed_mac
from labsetup.network.network import Network
from labsetup.practice.museum import Failure, Hall


def _forwarding() -> Network:
    net = three_hosts()
    router = Program("redirect", capture=True)
    for port, interface in enumerate((net.middle.eth0, net.middle.eth1)):
        router["ports"][port] = interface
        _set_next_hop(router, port, interface, interface.peer.mac)
        router.attach(interface)
    Program("echo_reply").attach(net.server.eth0)
    return net


def _set_next_hop(router: Program, port: int, interface: Interface, mac: str) -> None:
    mapped = ipaddress.ip_address(f"::ffff:{interface.peer.addresses[0].ip}").packed
    router["next_hops"][{"byte": mapped}] = {
        "port": port,
        "destination": packed_mac(mac),
        "source": interface.packed_mac,
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
    came, leaves = net.middle.eth0, net.middle.eth1
    before = came.counters, leaves.counters
    _send_ten(net)
    # Linux 6.1 hands them to the driver, and counts them there; newer ones ask it before.
    drops = (came.counters - before[0])["drops"] + (leaves.counters - before[1])["tx_dropped"]
    return f"the client sent ten frames, and middle counts {drops} drops"


def _aim(net: Network, mac: str) -> None:
    _set_next_hop(net.middle.eth0.program, 1, net.middle.eth1, mac)


def _see_addresses(net: Network) -> str:
    with capture(net.server.eth0) as wire:
        _send_ten(net)
    arrived = [seen.packet[Ether].dst for seen in wire if not seen.sent]
    stray = sum(mac != net.server.eth0.mac for mac in arrived)
    return f"{len(arrived)} of ten frames reached the server, {stray} of them for another MAC"


def _see_lifetimes(net: Network) -> str:
    said = net.client.run(f"ping -c 1 -W 0.3 {net.server.eth0.addresses[0].ip}").output
    return f"«Time to live exceeded» {'comes' if 'Time to live' in said else 'does not come'} back"


def _leave_gro(net: Network) -> None:
    net.middle.run("ip link set eth1 xdp off")
    net.middle.run("ethtool --offload eth1 gro on")


def _take_gro(net: Network) -> None:
    net.middle.eth0.program.attach(net.middle.eth1)
    net.middle.run("ethtool --offload eth1 gro off")


def _see_sent_back(net: Network) -> str:
    server, middle = net.server.eth0, net.middle.eth1
    before = server.counters, middle.counters
    send(net.client.eth0, IP(dst=str(server.addresses[0].ip)) / ICMP(), count=10)
    counted, came = server.counters - before[0], middle.counters - before[1]
    return (
        f"after ten pings the server counts xdp_tx {counted['xdp_tx']}, xdp_tx_errors "
        f"{counted['xdp_tx_errors']}, and middle eth1 rx_packets {came['rx_packets']}"
    )


HALL = Hall(
    exercise="5.4",
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
            mend=lambda net: Program("echo_reply").attach(net.server.eth0),
        ),
        Failure(
            name="GRO alone at the peer",
            shows="every frame is counted as sent back, with no error, and none comes",
            look=_see_sent_back,
            cause=_leave_gro,
            mend=_take_gro,
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
    rooms={
        1: "no program at the peer",
        2: "checksum offload",
        3: "wrong MAC address",
        10: "GRO alone at the peer",
    },
)
