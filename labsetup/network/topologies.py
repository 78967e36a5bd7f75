"""Each lesson's network, written as data.

Addresses come from the ranges kept for documentation: RFC 5737 and RFC 3849.
"""

from __future__ import annotations

from ..arguments import checked, whole
from .network import Network

VIP = "198.51.100.10"
VIP6 = "2001:db8:10::10"
MOST_QUEUES = 64  # the kernel takes more, and no machine of the lab has so many CPUs


@checked
def two_hosts(queues: int = 1, ipv6: bool = False) -> Network:
    """client and server on one link.

    Args:
        queues: RX and TX queues of each end; with one, one CPU at a time runs XDP there.
        ipv6: give them IPv6 addresses as well.
    """
    whole("the number of queues", queues, 1, MOST_QUEUES)
    six = (" 2001:db8::1/64", " 2001:db8::2/64") if ipv6 else ("", "")
    return Network(
        [(f"client eth0 192.0.2.1/24{six[0]}", f"server eth0 192.0.2.2/24{six[1]}")], queues=queues
    )


@checked
def three_hosts() -> Network:
    """client and server, each on a link of its own, and middle between them, which forwards."""
    return Network(
        [
            (
                "client eth0 192.0.2.1/26 2001:db8:1::1/64",
                "middle eth0 192.0.2.2/26 2001:db8:1::2/64",
            ),
            (
                "middle eth1 192.0.2.65/26 2001:db8:2::1/64",
                "server eth0 192.0.2.66/26 2001:db8:2::2/64",
            ),
        ],
        routers={"client": "middle", "server": "middle"},
    )


@checked
def balanced(servers: int = 5, ipv6: bool = False) -> Network:
    """client, lb and servers at one switch: the VIP is on lb's link and on each server's loopback.

    Args:
        servers: how many, from 1 to 57.
        ipv6: give them IPv6 addresses and an IPv6 VIP as well.
    """
    names = _names(servers)
    numbers = {"client": 1, "lb": 2} | {name: 10 + n for n, name in enumerate(names, 1)}
    vips = f"{VIP}/32 {VIP6}/128" if ipv6 else f"{VIP}/32"
    links = []
    for port, (name, number) in enumerate(numbers.items()):
        own = f"192.0.2.{number}/24" + f" 2001:db8::{number}/64" * ipv6
        links.append((f"{name} eth0 {own}{f' {vips}' * (name == 'lb')}", f"switch eth{port}"))
    net = Network(links, vip=(vips, names), switches=["switch"])
    for vip in vips.split():
        net.client.run(f"ip route add {vip} dev eth0")
    return net


@checked
def no_balancer(servers: int = 4, ipv6: bool = False) -> Network:
    """client, a router, and servers at one switch that all have the VIP, with nobody in front.

    Args:
        servers: how many, from 1 to 57.
        ipv6: give them IPv6 addresses and an IPv6 VIP as well.
    """
    names = _names(servers)
    vips = f"{VIP}/32 {VIP6}/128" if ipv6 else f"{VIP}/32"
    links = [
        (
            "client eth0 192.0.2.1/26" + " 2001:db8:1::1/64" * ipv6,
            "router eth0 192.0.2.2/26" + " 2001:db8:1::2/64" * ipv6,
        ),
        ("router eth1 192.0.2.65/26" + " 2001:db8:2::1/64" * ipv6, "switch eth0"),
    ]
    for number, name in enumerate(names, 1):
        own = f"192.0.2.{70 + number}/26" + f" 2001:db8:2::{70 + number}/64" * ipv6
        links.append((f"{name} eth0 {own}", f"switch eth{number}"))
    return Network(
        links,
        vip=(vips, names),
        routers=dict.fromkeys(["client", *names], "router"),
        switches=["switch"],
    )


def _names(servers: int) -> list[str]:
    whole("the number of servers", servers, 1, 57)
    return [f"s{number}" for number in range(1, servers + 1)]
