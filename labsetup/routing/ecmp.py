"""The router's side of lesson 08: one address, several next hops that cost the same.

A router that has them spreads flows by hash: it cuts the numbers that a hash can be into one
region for each next hop (RFC 2992), or into many buckets that it hands out (resilient, see
ip-nexthop(8)).  What it hashes is set by Documentation/networking/ip-sysctl.rst.  The next hops
are written by hand, with `ecmp()` here, or learned from the servers: bgp.py.
"""

from __future__ import annotations

import ipaddress
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arguments import checked
from ..balancing.hashing import FIVE_TUPLE, MAPPED, Names
from ..errors import LabError
from ..network.host import Host
from ..network.network import Network
from ..network.process import Result

FIVE_TUPLE_FIELDS = 0x37  # both addresses, the protocol, both ports: ip-sysctl.rst
BUCKETS = 128
BY_HAND = 20  # metric; BIRD's routes have 32, and the lower wins, as static routes do elsewhere
SIX = 6000  # added to a next hop's id for the one over IPv6
GROUPS = {False: 100, True: 200}  # ids of the groups: regions, buckets


@checked
def ecmp(
    net: Network,
    servers: Sequence[str] | None = None,
    resilient: bool = False,
    policy: int = 3,
    idle: int = 120,
) -> Result:
    """Give the router equal-cost next hops for the VIP, in place of those that it had.

    Args:
        net: a network such as no_balancer().
        servers: their names, in this order; all of them, when None.
        resilient: hand out buckets, and take away only those of a next hop that goes; one that
            comes gets none that was in use lately.
        policy: what is hashed: 0 addresses, 1 ports as well, 2 what is in a tunnel, 3 the
            five-tuple as named fields. With 1 the kernel takes the hash that the sending socket
            left on the packet: it stays there from namespace to namespace, and is another for
            each connection.
        idle: seconds after which an unused bucket may be given to another next hop.

    Returns:
        the commands that did it, and the routes that the router has now.

    Raises:
        LabError: for a server that the network does not have, or none.
    """
    router, names = router_of(net), known(net, servers)
    commands = set_hash(router, policy)
    present = set(re.findall(r"^id (\d+)", router.run("ip nexthop show").output, re.MULTILINE))
    timers = f" type resilient buckets {BUCKETS} idle_timer {idle}" if resilient else ""
    for version, vip in vips_of(net).items():
        offset = SIX * (version == 6)
        group, other = GROUPS[resilient] + offset, GROUPS[not resilient] + offset
        ids = {name: number + offset for number, name in enumerate(net.vip_hosts, 1)}
        for name in names:
            if str(ids[name]) not in present:
                via = address_of(net.hosts[name], version)
                commands.append(f"ip nexthop add id {ids[name]} via {via} dev {port_of(net)}")
        members = "/".join(str(ids[name]) for name in names)
        # One message to the kernel: no packet finds the group empty.
        commands.append(f"ip nexthop replace id {group} group {members}{timers}")
        if str(group) not in present:
            commands.append(f"ip route replace {vip} metric {BY_HAND} nhid {group}")
        if str(other) in present:
            commands.append(f"ip nexthop del id {other}")
    batch(router, [words.removeprefix("ip ") for words in commands if words.startswith("ip ")])
    shown = "\n$ ".join(f"ip netns exec {router.name} {words}" for words in commands)
    return Result(shown, routes_of(net), 0)


@checked
def next_hops(net: Network, flows: NDArray[np.void] | Iterable[tuple[str, int]]) -> Names:
    """The server that the router chooses for each flow, by asking it: no packet is sent.

    Args:
        net: the network, after `ecmp()` or with `Bgp`.
        flows: rows of hashing.FIVE_TUPLE, or pairs of a source address and a source port of TCP
            connections to the VIP's port 80.

    Returns:
        names, one for each flow.

    Raises:
        LabError: for a source that no router accepts, or without a route; and for IPv6 under
            policy 3, where the kernel hashes a packet once more than it does for this question.
    """
    owner = owners_of(net)
    return np.array([owner[via] for via in vias(net, flows)], dtype=np.str_)


def vias(net: Network, flows: NDArray[np.void] | Iterable[tuple[str, int]]) -> list[str]:
    """The next hop's address that the router chooses for each flow; as `next_hops`."""
    router, vips = router_of(net), vips_of(net)
    flows = flows if isinstance(flows, np.ndarray) else list(flows)
    is_flows = isinstance(flows, np.ndarray) and flows.dtype == FIVE_TUPLE
    if not is_flows and not all(isinstance(one, tuple) and len(one) == 2 for one in flows):
        raise LabError(
            "next_hops() takes flows, as random_flows(100) gives them, or pairs of an address and "
            "a port, such as [('192.0.2.1', 5000)]"
        )
    if isinstance(flows, np.ndarray):
        asked = [
            (_text(row["source"]), _text(row["destination"]), row["protocol"], *row["ports"])
            for row in flows
        ]
    else:
        asked = [(src, vips.get(6 if ":" in src else 4), 6, port, 80) for src, port in flows]
    if any(":" in src for src, *_ in asked):
        if 6 not in vips:
            raise LabError("this network has no VIP of IPv6; make it with ipv6=True")
        with router.inside():
            policy = Path("/proc/sys/net/ipv6/fib_multipath_hash_policy").read_text().strip()
        if policy == "3":
            raise LabError(
                "for IPv6 under hash policy 3 the kernel's answer is not what it does with "
                "packets; send some and see where they arrive, or ask under policy 1"
            )
    entry = net.hosts["client"].first.peer.name
    said = batch(
        router,
        [
            f"route get {dst} from {src} iif {entry} ipproto {protocol} sport {sport} dport {dport}"
            for src, dst, protocol, sport, dport in asked
        ],
    )
    return re.findall(r" via (\S+)", said)


def owners_of(net: Network) -> dict[str, str]:
    """The server that has each address of those that a next hop may have."""
    return {address_of(net.hosts[n], v): n for n in net.vip_hosts for v in vips_of(net)}


def router_of(net: Network) -> Host:
    if not (isinstance(net, Network) and net.routers and net.vip):
        raise LabError("this takes a network with a router and a VIP, such as no_balancer()")
    return net.hosts[next(iter(net.routers.values()))]


def known(net: Network, servers: Sequence[str] | None) -> list[str]:
    if isinstance(servers, str):
        raise LabError(f'servers come as a list, as in ["{servers}"]')
    names = list(net.vip_hosts) if servers is None else list(servers)
    for name in names:
        if name not in net.vip_hosts:
            raise LabError(f"there is no server {name}; there are: {', '.join(net.vip_hosts)}")
    if not names or len(set(names)) < len(names):
        raise LabError(f"name at least one server, and each once, not {names}")
    return names


def vips_of(net: Network) -> Mapping[int, str]:
    """The VIP by IP version."""
    found = (ipaddress.ip_interface(one).ip for one in net.vip.split())
    return {address.version: str(address) for address in found}


def port_of(net: Network) -> str:
    """The router's interface on the servers' network."""
    near = net.hosts[net.vip_hosts[0]].first.addresses[0].network
    ports = router_of(net).interfaces.values()
    return next(i.name for i in ports if any(a.ip in near for a in i.addresses))


def set_cable(net: Network, server: str, state: str) -> Result:
    """Plug a server's cable in, ``"up"``, or pull it, ``"down"``: at the switch's end."""
    port = net.hosts[server].first.peer
    return port.host.run(f"ip link set {port.name} {state}")


def address_of(host: Host, version: int, interface: str = "eth0") -> str:
    return next(str(a.ip) for a in host.interfaces[interface].addresses if a.version == version)


def _text(address: NDArray[np.uint8]) -> str:
    raw = address.tobytes()
    return str(ipaddress.ip_address(raw[12:] if raw[:12] == MAPPED.tobytes() else raw))


def set_hash(router: Host, policy: int) -> list[str]:
    """Set what the router hashes; returns the commands that do the same, if it was different."""
    wanted: dict[str, int] = {}
    for version in ("ipv4", "ipv6"):
        wanted[f"net/{version}/fib_multipath_hash_policy"] = policy
        wanted[f"net/{version}/fib_multipath_hash_fields"] = FIVE_TUPLE_FIELDS
    # A distribution may have it on; then a router drops clients that it has no route back to.
    wanted |= {f"net/ipv4/conf/{name}/rp_filter": 0 for name in ("all", *router.interfaces)}
    if policy not in range(4):
        raise LabError(f"there is no hash policy {policy!r}; there are 0 to 3")
    commands = []
    with router.inside():
        for key, value in wanted.items():
            path = Path("/proc/sys") / key
            if path.exists() and int(path.read_text()) != value:
                path.write_text(f"{value}")
                commands.append(f"sysctl -w {key.replace('/', '.')}={value}")
    return commands


def batch(host: Host, lines: Sequence[str], command: str = "ip") -> str:
    """Run many commands of ip(8), or of bridge(8), at once."""
    with host.inside():
        ran = subprocess.run(
            [command, "-batch", "-"],
            input="".join(f"{line}\n" for line in lines),
            text=True,
            capture_output=True,
            timeout=30,
            check=False,
        )
    if ran.returncode:
        found = re.search(r"Command failed -:(\d+)", ran.stderr)
        line = lines[int(found[1]) - 1] if found else lines[0]
        why = ran.stderr.splitlines()[0] if ran.stderr else "no reason given"
        raise LabError(f"the {host.name} refuses «{command} {line}»: {why}")
    return ran.stdout


def route_of(net: Network, version: int) -> str:
    """The router's routes to the VIP, as `ip route show` prints them."""
    return router_of(net).run(f"ip -{version} route show {vips_of(net)[version]}").output


def routes_of(net: Network) -> str:
    text = "".join(route_of(net, version) for version in vips_of(net))
    return "\n".join(line.rstrip() for line in text.splitlines())
