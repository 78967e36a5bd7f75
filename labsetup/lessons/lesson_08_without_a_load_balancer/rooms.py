"""Rooms 7 to 9 of the museum: four servers with to_owner, and nobody in front."""

from __future__ import annotations

import numpy as np

from labsetup import Balancer, Connections, Peers, Program, ecmp, no_balancer
from labsetup.balancing.balancer import rows
from labsetup.lessons.offload import offload_everywhere, see_checksums
from labsetup.network.network import Network
from labsetup.practice.museum import Failure, Hall

KEY = (2024, 204)


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
    settings = net.s2.eth0.program["settings"]
    settings[0] = settings[0] | {"key": {"word": list(key)}}


def _see_keys(net: Network) -> str:
    keys = {tuple(one["settings"][0]["key"]["word"]) for one in _programs(net).values()}
    return f"different keys in the servers' settings: {len(keys)}"


def _know(net: Network, *servers: str) -> None:
    """Let s3's table name only these servers."""
    places = tuple(net.vip_hosts.index(name) for name in servers)
    program = net.s3.eth0.program
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
    key = net.s1.eth0.program["settings"][0]["key"]["word"]
    Balancer(net, "to_owner", key, at=net.s4.eth0)


HALL = Hall(
    exercise="8.4",
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
            cause=lambda net: net.s4.eth0.program.detach(net.s4.eth0),
            mend=_put_back,
        ),
        Failure(
            name="checksum offload",
            shows="requests arrive with wrong checksums, and the servers count them",
            look=see_checksums,
            cause=lambda net: offload_everywhere(net, "on"),
            mend=lambda net: offload_everywhere(net, "off"),
        ),
    ),
    rooms={7: "a server left out", 8: "checksum offload", 9: "another key"},
)
