"""The router's neighbour table as the balancer: routes that never change, and nobody in front.

After Faild (Araujo et al., "Balancing on the Edge", NSDI 2018): a packet comes to its server at
once, and takes another hop only while a row that has changed hands has old connections.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from ipaddress import ip_address

import numpy as np
from numpy.typing import NDArray

from ..arguments import checked
from ..balancing.hashing import Names
from ..errors import LabError
from ..network.network import Network
from ..programs.program import Program
from ..tools import installation
from .ecmp import known, owners_of, router_of, routes_of, vias, vips_of
from .router_table import ADDRESSES, ROWS, RouterTable, address
from .rows import NOBODY, Row, handed_out


class Neighbours:
    """Servers whose router has the table, as its neighbours; each server runs bpf/neighbours.c.

    Attributes:
        programs: the servers' programs, by server.
        number: of the table as it was last read or written here.  It grows with each change, so of
            two tables that disagree it says which is newer.
    """

    @checked
    def __init__(self, net: Network) -> None:
        """Attach the programs, lay the routes, and hand out the rows to all servers.

        Where the router has a table already, that one stays, with its connections.

        Args:
            net: a network such as no_balancer().

        Raises:
            LabError: without nft, or when the router refuses.
        """
        if why := self.missing(net):
            raise LabError(why)
        self.net, self._table = net, RouterTable(net)
        self.number, there = self._table.read()
        self._rows = there or [Row(NOBODY, NOBODY)] * ROWS
        self.programs: dict[str, Program] = {}
        self._stopped = False
        try:
            self._load()
            self._table.lay()
            if not there:
                self.use()
        except BaseException:  # interrupted: half of it would be worse than none
            self.stop()
            raise
        self._begun = self._sent()

    @staticmethod
    def missing(net: Network) -> str:
        """Why this cannot be had here; empty if it can."""
        if router_of(net).has("nft"):
            return ""
        return f"nft is not installed; type: {installation('nft')}"

    @checked
    def use(self, *servers: str, gone: Collection[str] = ()) -> int:
        """Hand the rows to these servers, to all when none is named, and change no other.

        Args:
            servers: who gets new connections.
            gone: who is dead, so that nobody hands anything on to it, whoever is named.

        Returns:
            how many rows have changed hands.

        Raises:
            LabError: for a server that the network does not have, when all are gone, after `stop`,
                and when somebody else has changed the router's table since it was last read here.
        """
        if self._stopped:
            raise LabError("this table was stopped; lay a new one: neighbours = Neighbours(net)")
        named = known(self.net, servers or None)
        if dead := set(known(self.net, sorted(gone)) if gone else []):
            named = known(self.net, [name for name in named if name not in dead])
        number, there = self._table.read()
        if there and number != self.number:
            raise LabError(
                f"the router's table has number {number}, and what was read here is number "
                f"{self.number}: somebody else has changed it; type neighbours.read(), look at "
                "neighbours.rows, then try again"
            )
        if not there:  # it has restarted, and knows nothing
            self._table.lay()
        # What was read, and not what is remembered: who was interrupted may ask for the same again.
        before = there or self._rows
        after = handed_out(before, [name for name in self.net.vip_hosts if name in named], gone)
        changed = {n: row for n, row in enumerate(after) if not there or row != before[n]}
        if changed:
            self._table.write(changed, self.number + 1)
            self.number += 1
        self._rows = after
        return sum(one.now != other.now for one, other in zip(before, after, strict=True))

    def read(self) -> int:
        """Learn what the router has, whoever wrote it; returns its number."""
        number, there = self._table.read()
        if there:
            self.number, self._rows = number, there
        return self.number

    def follow(self) -> list[str]:
        """Hand the rows to whoever announces the VIP: BGP's next hops, in the router's main table.

        Returns:
            their names; where nobody announces it, none, and nothing changes.
        """
        owner = owners_of(self.net)
        found = dict.fromkeys(owner[via] for via in re.findall(r"via (\S+)", routes_of(self.net)))
        if found:
            self.use(*found)
        return list(found)

    @property
    def rows(self) -> list[Row]:
        """Each row's owner now, and before, as the router has them."""
        return self._table.read()[1]

    @property
    def handed_on(self) -> int:
        """How many packets the servers have handed on to each other since this was made."""
        return self._sent() - self._begun

    def _sent(self) -> int:
        return sum(self.net.hosts[name].first.counters["xdp_tx"] for name in self.net.vip_hosts)

    @checked
    def next_hops(self, flows: NDArray[np.void] | Iterable[tuple[str, int]]) -> Names:
        """The server that the router chooses for each flow, by asking it; as `next_hops`."""
        owner = {address(v, n): row.now for v in ADDRESSES for n, row in enumerate(self.rows)}
        return np.array([owner[via] for via in vias(self.net, flows)], dtype=np.str_)

    def restart_router(self) -> None:
        """Have the router forget all of it, and how it hashed; `use` tells it again."""
        self._table.restart()

    def stop(self) -> None:
        """Take the programs off the servers, and the table off the router."""
        self._stopped = True
        for name, program in self.programs.items():
            program.detach()
            self.net.hosts[name].run("nft delete table netdev neighbours")
        self._table.erase()

    def _load(self) -> None:
        """The program at each server: the same for all, but for its own MAC address."""
        vips = {version: ip_address(vip).packed for version, vip in vips_of(self.net).items()}
        loaded = Program("neighbours")
        for name, place in self._table.places.items():
            own = self.programs[name] = Program(loaded) if place > 1 else loaded
            near = self.net.hosts[name].first
            own["settings"][0] = {
                "key": {"word": [0, 0]},  # the router hashes, and nobody else
                "vip": vips[4],
                "vip6": vips.get(6, bytes(16)),
                "servers": 0,
                "mac": near.packed_mac,
            }
            for other, at in self._table.places.items():
                own["servers"][at] = {"seed": 0, "mac": self.net.hosts[other].first.packed_mac}
            # veth decides before XDP whom a frame is for; the driver of a card, after it.
            rules = (
                "add table netdev neighbours; delete table netdev neighbours; "
                "table netdev neighbours { chain ours { type filter hook ingress device "
                f"{near.name} priority 0; ether daddr {near.mac} meta pkttype set host; }}; }}"
            )
            told = self.net.hosts[name].run(["nft", rules])
            if told.status:
                raise LabError(f"{name} takes no frames for made-up MAC addresses: {told}")
            own.attach(near)

    def __repr__(self) -> str:
        rows = self.rows
        lines = [f"{ROWS} rows, table number {self.number}"]
        for name in self.net.vip_hosts:
            has = [row.before for row in rows if row.now == name]
            once = ", ".join(f"{has.count(b)} once {b}'s" for b in sorted({*has} - {NOBODY}))
            lines.append(f"{name}  {len(has):2}" + (f"  ({once})" if once else ""))
        return "\n".join(lines)
