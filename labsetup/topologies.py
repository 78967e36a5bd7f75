"""Each lesson's network, written as data.

Addresses come from the ranges kept for documentation: RFC 5737 and RFC 3849.
"""

from __future__ import annotations

from .hosts import Network
from .program import Program

VIP = "198.51.100.10/32"


def two_hosts(queues: int = 1, ipv6: bool = False) -> Network:
    """client and server on one link.

    Args:
        queues: RX and TX queues of each end; with one, one CPU at a time runs XDP there.
        ipv6: give them IPv6 addresses as well.
    """
    six = (" 2001:db8::1/64", " 2001:db8::2/64") if ipv6 else ("", "")
    return Network(
        [(f"client eth0 192.0.2.1/24{six[0]}", f"server eth0 192.0.2.2/24{six[1]}")], queues=queues
    )


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


def silent_hosts() -> Network:
    """client and server, which have talked before and now do not: lesson 02 finds out why."""
    net = two_hosts()
    net.client.ping(net.server, count=1)
    Program("xdp_drop").attach(net.server.eth0)
    return net


def no_balancer(servers: int = 4) -> Network:
    """client, a router, and servers that all have the VIP: the network of the last lesson."""
    names = [f"s{number}" for number in range(1, servers + 1)]
    links = [("client eth0 192.0.2.1/26", "router eth0 192.0.2.2/26")]
    for number, name in enumerate(names, 1):
        subnet = 64 + 4 * (number - 1)
        links.append(
            (f"router eth{number} 192.0.2.{subnet + 1}/30", f"{name} eth0 192.0.2.{subnet + 2}/30")
        )
    return Network(links, vip=(VIP, names), routers=dict.fromkeys(["client", *names], "router"))
