"""Servers that announce the VIP over BGP (RFC 4271) with BIRD, and a router that believes them.

Options of BIRD: its user's guide, https://bird.network.cz/doc/bird.html, and birdc(8).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template
from weakref import WeakKeyDictionary

from ..arguments import checked
from ..errors import LabError
from ..network import sandbox
from ..network.network import Network
from ..network.process import Background, Result
from ..network.session import current
from ..tools import installation
from .ecmp import (
    BY_HAND,
    address_of,
    known,
    port_of,
    route_of,
    router_of,
    routes_of,
    set_cable,
    set_hash,
    vips_of,
)

FOLDER = Path("/run/xdp-lab")  # configurations and control sockets

# The numbers of the two autonomous systems are for private use, RFC 6996.  BFD (RFC 5880) finds
# out within half a second that a neighbour is silent; BGP by itself waits for four minutes.
BOTH = Template("""\
log stderr { warning, error, fatal, bug };
router id $id;
protocol device { }
protocol bfd {
    interface "*" { interval 100 ms; idle tx interval 100 ms; multiplier 5; };
}
""")
# Of the two next hops that an IPv6 neighbour tells, the global address says who it is.
ROUTER = Template("""\
protocol kernel kernel$version {
    merge paths on limit 64;
    ipv$version { export where source = RTS_BGP; };
}
template bgp server$version {
    local as 64512;
    passive; bfd; error wait time 1, 1;
    ipv$version { import all; export none; $prefer};
}
""")
NEIGHBOUR = Template("""\
protocol bgp ${name}_$version from server$version { neighbor $address as 64513; }
""")
SERVER = Template("""\
protocol static vip$version { ipv$version; route $vip blackhole; }
protocol bgp router$version {
    local as 64513;
    neighbor $address as 64512;
    bfd; connect delay time 1; connect retry time 1; error wait time 1, 1;
    ipv$version { import none; export where source = RTS_STATIC; };
}
""")


class Bgp:
    """The servers' and the router's BIRD, one on each host; they end with the notebook.

    Attributes:
        announcing: names of the servers that announce the VIP, as they were told to.
    """

    @checked
    def __init__(self, net: Network, servers: Sequence[str] | None = None, policy: int = 3) -> None:
        """Start them, and wait until the router has the servers as next hops; about 1 s.

        Args:
            net: a network such as no_balancer(); next hops from `ecmp()` are taken away.
            servers: names of those that announce; all, when None.
            policy: what the router hashes, as for `ecmp()`.

        Raises:
            LabError: without BIRD, or when the route does not come within ten seconds.
        """
        self.net, self._router = net, router_of(net)
        self.announcing = set(known(net, servers))
        self._birds: dict[str, Background] = {}
        if not self._router.has("bird"):
            raise LabError(
                f"BIRD is not installed, which speaks BGP; type: {installation('bird')} "
                "(the lab starts its own)"
            )
        speaking = current().one(_Speaking)
        if net in speaking:
            speaking[net].stop()
        speaking[net] = self
        sandbox.private_folder(FOLDER)
        set_hash(self._router, policy)
        self._router.run("ip nexthop flush")
        for name in (self._router.name, *sorted(self.announcing)):
            self._start(name)
        self.wait()

    def use(self, *servers: str) -> None:
        """Have these servers announce the VIP, and no others, and wait until the router knows.

        Who comes is there before who goes is withdrawn: the VIP always has a next hop.

        Raises:
            LabError: for a server that the network does not have, or none; and as `wait` does.
        """
        names = set(known(self.net, servers))
        come, go = names - self.announcing, self.announcing - names
        for name in sorted(come):
            self.announce(name)
        if come and go:
            self.wait()
        for name in sorted(go):
            self.withdraw(name)
        self.wait()

    def withdraw(self, name: str) -> Result:
        """Have a server take its announcement back, as before maintenance; it goes on running."""
        result = self._birdc(self._speaking(name), "disable '\"vip*\"'")
        self.announcing.discard(name)
        return result

    def announce(self, name: str) -> Result:
        """Have a server announce the VIP, also one that crashed or was not among the first."""
        known(self.net, [name])
        self.announcing.add(name)
        if name in self._birds:
            return self._birdc(name, "enable '\"vip*\"'")
        set_cable(self.net, name, "up")
        return self._start(name)

    def crash(self, name: str) -> Result:
        """Pull a server's cable and kill its BIRD: without a word, so that only BFD can tell."""
        bird = self._birds.pop(self._speaking(name))
        self.announcing.discard(name)
        result = set_cable(self.net, name, "down")  # first: the kernel would say good-bye for BIRD
        bird.kill()
        return result

    def restart(self) -> Result:
        """End the router's BIRD, which takes its routes along, and start it again."""
        self._end(self._router.name)
        return self._start(self._router.name)

    def stop(self) -> None:
        """End every BIRD, the router's first, which takes its routes along."""
        for name in list(self._birds):
            self._end(name)
        self.announcing.clear()

    def wait(self, servers: Iterable[str] | None = None, timeout: float = 10) -> float:
        """Wait until the kernel's routes have these servers as next hops, and BFD watches them.

        Args:
            servers: their names; those that announce, when None.
            timeout: seconds.

        Returns:
            seconds that it took.

        Raises:
            LabError: when it takes longer, or a BIRD has ended by itself.
        """
        names = sorted(self.announcing if servers is None else servers)
        hosts, vips = [self.net.hosts[name] for name in names], vips_of(self.net)
        wanted = {v: {address_of(host, v) for host in hosts} for v in vips}
        found: dict[int, set[str]] = {}
        begun = time.monotonic()
        while time.monotonic() < begun + timeout:
            for bird in self._birds.values():
                if not bird.running:
                    raise LabError(
                        f"«{bird.command}» has ended; it said: {bird.output.strip() or 'nothing'}. "
                        "Make it anew: bgp = Bgp(net)"
                    )
            # The question also wakes BIRD, which may sleep for 3 s over what it just learned.
            sessions = self._birdc(self._router.name, "show bfd sessions").output
            watched = set(re.findall(r"^(\S+) +\S+ +Up ", sessions, re.MULTILINE))
            found = {v: set(re.findall(r"via (\S+)", route_of(self.net, v))) for v in vips}
            if found == wanted and set().union(*wanted.values()) <= watched:
                return time.monotonic() - begun
            time.sleep(0.01)  # polls: what counts is the kernel's route, whatever BIRD says
        if any(f" metric {BY_HAND} " in route_of(self.net, version) for version in vips):
            raise LabError(
                "next hops that ecmp() gave the router lie over those of BIRD; take them away: "
                f"!ip -n {self._router.name} nexthop flush"
            )
        raise LabError(
            f"after {timeout:g} s the router's next hops are "
            f"{', '.join(sorted(set().union(*found.values()))) or 'none'}, and not those of "
            f"{', '.join(names) or 'nobody'}; its BIRD says:\n"
            f"{self._birdc(self._router.name, 'show protocols').output}"
        )

    @property
    def routes(self) -> str:
        """The router's routes to the VIP, as the kernel has them; empty without any."""
        return routes_of(self.net)

    def configuration(self, name: str) -> str:
        """What BIRD reads on this host."""
        port, is_router = port_of(self.net), name == self._router.name
        own = address_of(self.net.hosts[name], 4, port if is_router else "eth0")
        parts = [BOTH.substitute(id=own)]
        for version, vip in vips_of(self.net).items():
            if not is_router:
                address = address_of(self._router, version, port)
                size = 32 if version == 4 else 128
                parts.append(
                    SERVER.substitute(version=version, vip=f"{vip}/{size}", address=address)
                )
                continue
            prefer = "next hop prefer global; " if version == 6 else ""
            parts.append(ROUTER.substitute(version=version, prefer=prefer))
            for server in self.net.vip_hosts:
                address = address_of(self.net.hosts[server], version)
                parts.append(NEIGHBOUR.substitute(name=server, version=version, address=address))
        return "".join(parts)

    def _start(self, name: str) -> Result:
        base = FOLDER / name
        base.with_suffix(".conf").write_text(self.configuration(name))
        self._birds[name] = self.net.hosts[name].start(f"bird -f -c {base}.conf -s {base}.ctl")
        return Result(self._birds[name].command, "", 0)

    def _end(self, name: str) -> None:
        self._birdc(name, "down")  # one that is interrupted leaves its routes in the kernel
        self._birds.pop(name).stop(quiet=1)

    def _speaking(self, name: str) -> str:
        known(self.net, [name])
        if name not in self._birds:
            raise LabError(f"{name} does not speak BGP; announce({name!r}) makes it")
        return name

    def _birdc(self, name: str, words: str) -> Result:
        result = self.net.hosts[name].run(f"birdc -s {FOLDER / name}.ctl {words}")
        said = re.sub(r"\ABIRD .* ready\.\n", "", result.output)  # its version
        return Result(result.command, said, result.status)

    def __repr__(self) -> str:
        return self.routes or "no route to the VIP"


class _Speaking(WeakKeyDictionary[Network, Bgp]):
    """Who has the control sockets of a network."""
