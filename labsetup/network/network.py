"""Some hosts and the links between them: namespaces and veth pairs.

Sources: veth(4), ip-netns(8), Documentation/networking/ip-sysctl.rst.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pyroute2 import IPRoute
from pyroute2.ethtool.ioctl import IoctlEthtool

from ..errors import NoSuchName
from . import sandbox
from .host import Host
from .interface import Interface
from .session import current
from .sysctl import NEIGHBOUR_SYSCTLS, QUIET_ARP, SYSCTLS, set_sysctls

T = TypeVar("T")


def _in_a_thread(work: Callable[..., T], *args: object) -> T:
    """Do netlink work in a thread of its own, in the caller's namespace.

    pyroute2's blocking calls run an event loop, and asyncio allows none in a thread that is
    running one already, as the thread of a Jupyter kernel is.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work, *args).result()


class Network:
    """Some hosts and the links between them.

    Its hosts are attributes: ``net.client``.  As the last line of a cell it draws itself.
    """

    def __init__(
        self,
        links: Sequence[tuple[str, str]],
        vip: tuple[str, Sequence[str]] | None = None,
        routers: Mapping[str, str] | None = None,
        switches: Sequence[str] = (),
        queues: int = 1,
    ) -> None:
        """Build it.

        Args:
            links: a pair of ends for each link, an end being
                ``"HOST INTERFACE ADDRESS/PREFIX ..."``.
            vip: virtual addresses with prefix, and the hosts that have them on their loopback
                and keep quiet about it: ARP for them is for whoever has them on the link.
            routers: for each host that sends beyond its own links, the router that it sends to.
                A router forwards, and is reached by its address in a network of that host.
            switches: hosts whose interfaces are the ports of a bridge.
            queues: RX and TX queues of every interface; one queue is served by one CPU at a time.

        IPv6 is off where no address asks for it: it announces itself on every wire.
        """
        sandbox.require()
        current().one(_stamping)
        self.hosts: dict[str, Host] = {}
        self.links: list[tuple[Interface, Interface]] = []
        self.vip, self.vip_hosts = vip or ("", ())
        self.routers, self.switches = routers or {}, switches
        ipv6 = ":" in str(links) + self.vip
        self._sysctls = SYSCTLS | {
            "net/ipv6/conf/default/disable_ipv6": int(not ipv6),
            # No link-local addresses, which announce themselves; but a router cannot do without,
            # nor can who answers from a loopback address ask for a neighbour.
            "net/ipv6/conf/default/addr_gen_mode": int(not (self.routers or vip)),
        }
        with sandbox.changing_hosts():
            self._replace(current().one(_Lesson))
            _in_a_thread(self._build, links, queues)

    def _replace(self, lesson: _Lesson) -> None:
        if lesson.network is not None:
            lesson.network.close()
        for leftover in list(sandbox.NETNS.iterdir()):  # of a build that was interrupted
            sandbox.delete_namespace(leftover.name)
        lesson.network = self

    def _build(self, links: Sequence[tuple[str, str]], queues: int) -> None:
        with IPRoute() as netlink:
            for ends in links:
                a, b = (self._interface(end) for end in ends)
                a.peer, b.peer = b, a
                self.links.append((a, b))
                self._make_link(netlink, a, b, queues)
        # All links first: an address on a link that is up is announced at once, and then no more.
        for host in self.hosts.values():
            self._bring_up(host)
        for host in self.hosts.values():
            self._give_addresses(host)

    def _interface(self, end: str) -> Interface:
        name, interface, *addresses = end.split()
        if name not in self.hosts:
            quiet = {"net/ipv6/conf/default/disable_ipv6": 1} if name in self.switches else {}
            self.hosts[name] = Host(name, self._sysctls | quiet)
        host = self.hosts[name]
        # Locally administered, and the same at each run: host number, interface number.
        mac = f"02:00:00:00:{len(self.hosts):02x}:{len(host.interfaces):02x}"
        host.interfaces[interface] = Interface(host, interface, mac, addresses)
        return host.interfaces[interface]

    @staticmethod
    def _make_link(netlink: IPRoute, a: Interface, b: Interface, queues: int) -> None:
        files = [os.open(sandbox.NETNS / end.host.name, os.O_RDONLY) for end in (a, b)]
        first, second = (
            {
                "ifname": end.name,
                "address": end.mac,
                "net_ns_fd": file,
                "num_tx_queues": queues,
                "num_rx_queues": queues,
            }
            for end, file in zip((a, b), files, strict=True)
        )
        try:
            netlink.link("add", kind="veth", peer=second, **first)
        finally:
            for file in files:
                os.close(file)

    def _bring_up(self, host: Host) -> None:
        with host.inside(), IPRoute() as netlink:
            netlink.link("set", index=1, state="up")
            bridge = self._bridge(netlink) if host.name in self.switches else None
            for interface in host.interfaces.values():
                # With it on, the sender's stack leaves checksums to hardware that veth does not
                # have, and a frame that XDP sends on carries a wrong one.
                with contextlib.closing(IoctlEthtool(interface.name)) as ethtool:
                    ethtool.set_offload_flag("tx-checksumming", 0)
                for version in ("ipv4", "ipv6"):
                    folder = f"net/{version}/neigh/{interface.name}"
                    set_sysctls({f"{folder}/{k}": v for k, v in NEIGHBOUR_SYSCTLS.items()})
                index = netlink.link_lookup(ifname=interface.name)[0]
                port = {} if bridge is None else {"master": bridge}
                netlink.link("set", index=index, state="up", **port)

    @staticmethod
    def _bridge(netlink: IPRoute) -> int:
        # Without multicast snooping it says nothing of its own.
        netlink.link("add", ifname="br0", kind="bridge", br_mcast_snooping=0)
        index = int(netlink.link_lookup(ifname="br0")[0])
        netlink.link("set", index=index, state="up")
        return index

    def _give_addresses(self, host: Host) -> None:
        with host.inside(), IPRoute() as netlink:
            if self.vip and host.name in self.vip_hosts:
                for one in self.vip.split():
                    vip, _, prefix = one.partition("/")
                    netlink.addr("add", index=1, address=vip, prefixlen=int(prefix))
                set_sysctls(QUIET_ARP)
            for interface in host.interfaces.values():
                index = netlink.link_lookup(ifname=interface.name)[0]
                for address in interface.addresses:
                    netlink.addr(
                        "add",
                        index=index,
                        address=str(address.ip),
                        prefixlen=address.network.prefixlen,
                    )
            if host.name in self.routers:
                self._give_routes(netlink, host)
            if host.name in self.routers.values():
                set_sysctls({"net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1})

    def _give_routes(self, netlink: IPRoute, host: Host) -> None:
        near = [a.network for i in host.interfaces.values() for a in i.addresses]
        for interface in self.hosts[self.routers[host.name]].interfaces.values():
            for address in interface.addresses:
                if address.network in near:
                    everything = "::/0" if address.version == 6 else "0.0.0.0/0"
                    netlink.route("add", dst=everything, gateway=str(address.ip))

    def __getattr__(self, name: str) -> Host:
        hosts: dict[str, Host] = self.__dict__.get("hosts", {})
        if name in hosts:
            return hosts[name]
        if name.startswith("_"):
            raise AttributeError(name)
        raise NoSuchName(f"this network has no host {name}; it has: {', '.join(hosts)}")

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *self.hosts]

    def __iter__(self) -> Iterator[Host]:
        return iter(self.hosts.values())

    def close(self) -> None:
        """End what runs on its hosts and give their namespaces back."""
        for host in self.hosts.values():
            host.close()
        lesson = current().one(_Lesson)
        if lesson.network is self:
            lesson.network = None

    @property
    def interfaces(self) -> list[Interface]:
        """Every interface of every host."""
        return [one for host in self for one in host.interfaces.values()]

    @property
    def settings(self) -> str:
        """What the lab has set that a reader should know of, in a sentence."""
        ends = [end for link in self.links for end in link]
        on = [f"{i.host.name} {i.name}" for i in ends if i.leaves_checksums]
        rings = any(i.host.name in self.switches and i.xdp for i in ends)
        return (
            f"TX checksum offload is {'on at ' + ', '.join(on) if on else 'off on every interface'}"
            + "; a ring: xdp_pass at the switch, put there by the lab" * rings
        )

    @property
    def open(self) -> bool:
        """Whether its hosts are there; a network that is built later takes its place."""
        return all(host.open for host in self)

    def __repr__(self) -> str:
        if not self.open:
            return f"the network of {', '.join(self.hosts)} is gone; run the cell that makes it"
        width = max(len(_end(a)) for a, _ in self.links)
        lines = [f"{_end(a):>{width}} ── {_end(b, mirrored=True)}" for a, b in self.links]
        for interface in (end for link in self.links for end in link):
            if found := interface.xdp:
                where = f"{interface.host.name} {interface.name}"
                # Say so where the lab itself put the program.
                note = " (put there by the lab, for the other end)" if interface.is_helper else ""
                lines.append(f"XDP on {where}: {interface.program_name}, {found[1]} mode{note}")
        if self.vip:
            lines.append(f"VIP {self.vip} for {', '.join(self.vip_hosts)}")
        return "\n".join([*lines, self.settings])


SO_TIMESTAMPNS = 35  # asm-generic/socket.h


def _stamping() -> socket.socket:
    """A socket that asks for the time of each packet, for as long as the session goes on.

    The kernel stamps packets on arrival only while some socket asks for it, and needs a moment to
    begin; until then a packet is stamped when it is read, which would upset a capture's order.
    """
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asking.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return asking


class _Lesson:
    """One lesson has one network: a new one replaces it."""

    network: Network | None = None


def _end(interface: Interface, mirrored: bool = False) -> str:
    parts = [interface.host.name, interface.name, *(str(a) for a in interface.addresses)]
    return " ".join(reversed(parts) if mirrored else parts)
