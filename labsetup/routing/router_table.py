"""A table in a router's neighbours: next hops that nobody has, whose MAC addresses name servers.

A row is a next hop.  Its address belongs to no host, its neighbour entry is permanent, and the MAC
address there is made up: 0a:00:BEFORE:NOW, the places of two servers.  The next hops, the routes,
the hash and the switch's ports are laid once.  Sources: ip-nexthop(8), ip-neighbour(8), bridge(8).
"""

from __future__ import annotations

import itertools
import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from ..errors import LabError
from ..network.network import Network
from .ecmp import batch, port_of, router_of, set_hash, vips_of
from .rows import NOBODY, Row

ROWS = 64
TABLE = 8  # of routes, and its rule: before the main one, which has 32766
GROUPS = {4: 2000, 6: 8000}  # ids; a row's next hop has its number more
# Link-local, and nobody's.  The last is no next hop: its MAC address is the table's number.
ADDRESSES = {4: "169.254.8.{:d}", 6: "fe80::8:{:x}"}
NUMBERED = ADDRESSES[4].format(200)
SEED = Path("/proc/sys/net/ipv4/fib_multipath_hash_seed")  # for IPv6 too; since Linux 6.11


class RouterTable:
    """The router's end of `Neighbours`.

    Attributes:
        places: each server's number in made-up MAC addresses, from 1 on.
    """

    def __init__(self, net: Network) -> None:
        """Look at the network; nothing is laid yet.

        Args:
            net: a network such as no_balancer().
        """
        self.net, self._router, self._near = net, router_of(net), port_of(net)
        self.places = {name: place for place, name in enumerate(net.vip_hosts, 1)}
        self._names = {place: name for name, place in self.places.items()} | {0: NOBODY}
        self._seed = 0

    def read(self) -> tuple[int, list[Row]]:
        """The table's number and its rows; no rows where not all of them are there."""
        there = self._there()
        rows = [there.get(address(4, n)) for n in range(ROWS)]
        if NUMBERED not in there or not all(rows):
            return 0, []
        number = int(there[NUMBERED].replace(":", "")[4:], 16)
        return number, [self._row(mac) for mac in rows if mac]

    def write(self, rows: Mapping[int, Row], number: int) -> None:
        """Change these rows, and last of all the number: a table is new when all of it is."""
        made_up = {
            address(version, n): self._mac(row)
            for n, row in rows.items()
            for version in vips_of(self.net)
        }
        made_up[NUMBERED] = _mac(0x0AFF, *divmod(number, 1 << 16))
        lines = [
            f"neigh replace {address} lladdr {mac} dev {self._near} nud permanent"
            for address, mac in made_up.items()
        ]
        batch(self._router, lines)

    def lay(self) -> None:
        """What never changes.  What is there already stays."""
        set_hash(self._router, 3)
        self._keep_the_seed()
        there, lines = self._laid(), []
        for version, vip in vips_of(self.net).items():
            group = GROUPS[version]
            hops = {group + 1 + n: address(version, n) for n in range(ROWS)}
            lines += [
                f"nexthop add id {one} via {address} dev {self._near} onlink"
                for one, address in hops.items()
                if one not in there
            ]
            # In the order of the rows: it decides which hashes are whose.
            lines.append(f"nexthop replace id {group} group {'/'.join(map(str, hops))}")
            lines.append(f"route replace {vip} table {TABLE} nhid {group}")
            rule = f"ip -{version} rule"
            if "lookup" not in self._router.run(f"{rule} show pref {TABLE}"):
                self._router.run(f"{rule} add pref {TABLE} to {vip} lookup {TABLE}")
        batch(self._router, lines)
        self._lay_switch()

    def _keep_the_seed(self) -> None:
        """Have a router that restarts hash as it did; on kernels before 6.11 nobody can."""
        with self._router.inside():
            if SEED.exists():
                self._seed = self._seed or int(SEED.read_text()) or secrets.randbits(31) | 1
                SEED.write_text(f"{self._seed}")

    def _lay_switch(self) -> None:
        """Tell the switch at which port each made-up address is, lest it send it to all of them."""
        for switch in self.net.switches:
            ports = {
                name: self.net.hosts[name].first.peer.name
                for name in self.places
                if self.net.hosts[name].first.peer.host.name == switch
            }
            pairs = itertools.product(ports, (NOBODY, *self.places))
            lines = [
                f"fdb replace {self._mac(Row(now, before))} dev {ports[now]} master static"
                for now, before in pairs
            ]
            batch(self.net.hosts[switch], lines, "bridge")

    def erase(self) -> None:
        """Take it all off the router; the switch may keep what it was told."""
        for version in vips_of(self.net):
            self._router.run(f"ip -{version} rule del pref {TABLE}")
        lines = [f"nexthop del id {one}" for one in sorted(self._laid())]  # groups before rows
        lines += [f"neigh del {address} dev {self._near}" for address in self._there()]
        batch(self._router, lines)

    def restart(self) -> None:
        """What a restart of the router takes along: all of it."""
        self.erase()
        if self._seed:
            with self._router.inside():
                SEED.write_text(f"{secrets.randbits(31) | 1}")

    def _there(self) -> dict[str, str]:
        """Our neighbour entries: the MAC address by the address."""
        said = self._router.run(f"ip -j neigh show dev {self._near} nud permanent").output
        ours = {NUMBERED} | {address(version, n) for version in ADDRESSES for n in range(ROWS)}
        return {one["dst"]: one["lladdr"] for one in json.loads(said) if one["dst"] in ours}

    def _laid(self) -> set[int]:
        """The ids of our next hops and groups that are there."""
        said = self._router.run("ip nexthop show").output
        ids = {int(one) for one in re.findall(r"^id (\d+)", said, re.MULTILINE)}
        return ids & {group + n for group in GROUPS.values() for n in range(ROWS + 1)}

    def _row(self, mac: str) -> Row:
        before, now = (int(mac.replace(":", "")[at : at + 4], 16) for at in (4, 8))
        try:
            return Row(self._names[now], self._names[before])
        except KeyError:
            raise LabError(
                f"the router's neighbour {mac} names a server that is not there"
            ) from None

    def _mac(self, row: Row) -> str:
        return _mac(0x0A00, self.places.get(row.before, 0), self.places[row.now])


def address(version: int, row: int) -> str:
    """The address of a row, which nobody has."""
    return ADDRESSES[version].format(row + 1)


def _mac(*words: int) -> str:
    return b"".join(word.to_bytes(2) for word in words).hex(":")
