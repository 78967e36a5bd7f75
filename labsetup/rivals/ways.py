"""What one would use at lb: our XDP program, and what the distribution has instead.

Each way is in force while its block runs, remembers the commands that it took, and leaves nothing.
Sources: nft(8), Documentation/networking/ip-sysctl.rst.
"""

from __future__ import annotations

import secrets
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Self

from ..arguments import checked, shown, whole
from ..balancing.balancer import Balancer
from ..balancing.hashing import owners
from ..errors import LabError
from ..network import sandbox
from ..network.host import Host
from ..network.network import Network
from ..programs.program import Program
from ..tools import installation

PORT = 80
SEED = 0x5EED  # of nft's hash: the same flows have the same servers after a restart

FOLDER = Path("/run/xdp-lab")
# linux/netlink.h, nfnetlink.h, nfnetlink_conntrack.h
NETLINK_NETFILTER, NLM_F_REQUEST, NLM_F_ACK = 12, 1, 4
CTNETLINK_DELETE = 1 << 8 | 2


class Way:
    """A way to give the client's connections to servers, in force while its block runs.

    Attributes:
        name: in words.
        tool: the command that it needs, if any.
        forwards: whether packets themselves go through lb.
        commands: what it has typed so far.
    """

    name, tool = "", ""
    forwards = True  # packet by packet

    @checked
    def __init__(self, net: Network) -> None:
        """Look at the network; nothing is in force yet.

        Args:
            net: what balanced() gives.
        """
        self.net = net
        self.vip = net.vip.split("/")[0]
        self.commands: list[str] = []
        self._undo: list[Callable[[], object]] = []
        self._in_force = False

    @property
    def missing(self) -> str:
        """Why it cannot be used here; empty if it can."""
        if not self.tool or self.net.lb.has(self.tool):
            return ""
        return f"{self.tool} is not installed; type: {installation(self.tool)}"

    def use(self, *servers: str) -> None:
        """From now on give new connections to these servers.

        Raises:
            LabError: outside of its block, without a server, and for one that is none.
        """
        self._must_be_in_force()
        unknown = [name for name in servers if name not in self.net.vip_hosts]
        if unknown or not servers:
            which = (
                f"there is no server {shown(unknown[0])}" if unknown else "name a server at least"
            )
            raise LabError(f"{which}; there are: {', '.join(self.net.vip_hosts)}")
        self._use(*servers)

    def _use(self, *servers: str) -> None:
        raise NotImplementedError

    def _must_be_in_force(self) -> None:
        if not self._in_force:
            kind = type(self).__name__
            raise LabError(f"{self.name} is in force within its block: with {kind}(net) as way:")

    def lose_state(self) -> None:
        """What a crash does: forget all but the configuration."""

    def _run(self, host: Host, command: str | list[str], undo: str = "") -> None:
        result = host.run(command)
        self.commands.append(result.command)
        if result.status:
            raise LabError(f"{self.name} failed: {result}")
        if undo:
            self._undo.append(lambda: host.run(undo))

    def _begin(self) -> None:
        """What it needs before the first `use()`."""

    def __enter__(self) -> Self:
        self.commands = []
        try:
            self._begin()
            self._in_force = True
            self.use(*self.net.vip_hosts)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._in_force = False
        while self._undo:
            self._undo.pop()()

    def __repr__(self) -> str:
        return "\n".join([f"# {self.name}", *(f"$ {command}" for command in self.commands)])

    def _address(self, host: str) -> str:
        return self.net.hosts[host].address

    def _answers_by_lb(self) -> None:
        """Each server's way to the client leads by lb from now on."""
        route = f"{self._address('client')} via {self._address('lb')}"
        for name in self.net.vip_hosts:
            undo = f"ip route del {route}"
            self._run(self.net.hosts[name], f"ip route add {route}", undo=undo)


class Direct(Way):
    """No balancer: the client's packets go straight to one server.  The yardstick."""

    name, forwards = "direct", False

    def _use(self, *servers: str) -> None:
        self._run(
            self.net.client,
            f"ip route replace {self.vip} via {self._address(servers[0])}",
            undo=f"ip route replace {self.vip} dev eth0",
        )


class Xdp(Way):
    """An XDP program; it remembers nothing, and servers answer the client themselves."""

    name = "XDP"

    @checked
    def __init__(self, net: Network, program: str = "lb_table") -> None:
        """Load the program; nothing is in force yet.

        Args:
            net: what balanced() gives.
            program: the name of one of bpf/lb_*.c.
        """
        super().__init__(net)
        self._program = self._load(program)
        self._balancer: Balancer | None = None
        self._key = secrets.randbits(64), secrets.randbits(64)

    def _load(self, program: str) -> Program:
        return Program(program)

    def _typed(self) -> str:
        return f'Balancer(net, "{self._program.name}")'

    def _begin(self) -> None:
        self._balancer = Balancer(self.net, self._program, self._key)
        self._undo.append(self._detach)
        self.commands.append(self._typed())

    def _use(self, *servers: str) -> None:
        assert self._balancer
        self._balancer.use(*servers)

    def _detach(self) -> None:
        self._program.detach()

    def lose_state(self) -> None:
        self._must_be_in_force()
        assert self._balancer
        self._program = self._load(self._program.name)  # with maps of its own
        self._balancer = Balancer(self.net, self._program, self._key, self._balancer.servers)


class XdpMemory(Xdp):
    """The XDP program that remembers where each connection began."""

    name = "XDP + memory"

    @checked
    def __init__(self, net: Network) -> None:
        super().__init__(net, "lb_memory")


class NftIngress(Way):
    """nftables before the IP stack, with the same job: rewrite a MAC address by a table's row."""

    name, tool = "nft ingress", "nft"

    @checked
    def __init__(self, net: Network, rows: int = 4096) -> None:
        """Nothing is in force yet.

        Args:
            net: what balanced() gives.
            rows: of the table, which are the first of lb_table's own. 0 for none: nft's `mod` then
                cuts the numbers that a hash can be into a region for each server, as a router does
                (RFC 2992), and a server that goes moves flows between those that stay.
        """
        super().__init__(net)
        self._rows = whole("the number of rows", rows, 0, 65_536)

    def _begin(self) -> None:
        sandbox.private_folder(FOLDER)
        self._undo.append(lambda: self.net.lb.run("nft delete table netdev balancer"))
        self._run(self.net.lb, "nft add table netdev balancer")

    def _use(self, *servers: str) -> None:
        lb = self.net.lb.eth0
        macs = [self.net.hosts[name].first.mac for name in servers]
        if self._rows:
            macs = [macs[place] for place in owners(servers, self._rows)]
        path = FOLDER / "balancer.nft"  # too long for the shell's arguments
        path.write_text(f"""delete table netdev balancer
table netdev balancer {{
    chain arrives {{
        type filter hook ingress device {lb.name} priority filter
        ip daddr {self.vip} th dport {PORT} ether saddr set {lb.mac} \\
            ether daddr set jhash ip saddr . th sport mod {len(macs)} seed {SEED:#x} map {{
                {_places(macs)}
            }} fwd to {lb.name}
    }}
}}""")
        self._run(self.net.lb, f"nft -f {path}")


class NftDnat(Way):
    """nftables rewrites the destination and conntrack remembers it, to undo it in the answers.

    So answers must come back through lb: client and servers share a link, so each server gets a
    route to the client by way of lb.  In return it sees the client's own address.
    """

    name, tool = "nft DNAT", "nft"
    masquerade = ""

    def _begin(self) -> None:
        self._sysctl("net.ipv4.ip_forward", "1")
        for where in ("all", "eth0"):  # it would tell servers of the shorter way to the client
            self._sysctl(f"net.ipv4.conf.{where}.send_redirects", "0")
        self._undo.append(self.lose_state)
        self._run(self.net.lb, "nft add table ip balancer", undo="nft delete table ip balancer")
        if not self.masquerade:
            self._answers_by_lb()

    def _sysctl(self, name: str, value: str) -> None:
        path = Path("/proc/sys", name.replace(".", "/"))

        def write(text: str) -> None:
            with self.net.lb.inside():
                path.write_text(text)

        with self.net.lb.inside():
            before = path.read_text()
        write(value)
        self.commands.append(f"ip netns exec lb sysctl -w {name}={value}")
        self._undo.append(lambda: write(before))

    def _use(self, *servers: str) -> None:
        addresses = [self._address(name) for name in servers]
        rules = f"""delete table ip balancer
table ip balancer {{
    chain arrives {{
        type nat hook prerouting priority dstnat
        ip daddr {self.vip} meta l4proto {{ tcp, udp }} th dport {PORT} \\
            dnat to numgen random mod {len(servers)} map {{
                {_places(addresses)}
            }}
    }}{self.masquerade}
}}"""
        self._run(self.net.lb, ["nft", rules])  # in one step

    def lose_state(self) -> None:
        """Empty conntrack's table, as `conntrack -F` does."""
        with self.net.lb.inside():
            netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        with netlink:
            flags = NLM_F_REQUEST | NLM_F_ACK
            # struct nlmsghdr and struct nfgenmsg, which asks for nothing in particular: all of it
            netlink.send(struct.pack("=IHHIII", 20, CTNETLINK_DELETE, flags, 0, 0, 0))
            (status,) = struct.unpack_from("=i", netlink.recv(4096), 16)
        if status:
            raise LabError(f"the kernel did not empty conntrack's table (error {-status})")


class NftMasquerade(NftDnat):
    """The same where servers' routes are not ours to change: lb puts its own address as source."""

    name = "nft masquerade"
    masquerade = """
    chain leaves {
        type nat hook postrouting priority srcnat
        ct status dnat masquerade
    }"""


def _places(values: list[str]) -> str:
    return ", ".join(f"{place} : {value}" for place, value in enumerate(values))
