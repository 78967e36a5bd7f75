"""The control side of a load balancer: which servers there are, and who gets what."""

from __future__ import annotations

import math
import secrets
import threading
from collections.abc import Collection, Sequence
from functools import lru_cache
from ipaddress import ip_address

import numpy as np
from numpy.typing import NDArray

from ..arguments import checked
from ..errors import LabError, Nameable
from ..libbpf.grace import wait_for_programs
from ..network.interface import Interface
from ..network.network import Network
from ..programs.program import Program
from .given import key_of
from .hashing import mixed, owners, rendezvous, seed_of

ROWS = 65_536

NO_OWNER = 0xFFFF  # a row that names no server

AT_SERVERS = ("to_owner", "second_chance")  # in bpf/; the lb_ ones stand in front
# Of bpf/ too, and of no use with the maps that Balancer fills alone.
TOLD_MORE = {
    "neighbours": "neighbours goes by the MAC addresses of a router's table, as in Neighbours(net)",
    "lb_nat": (
        "lb_nat wants each server's address and route as well, which XdpNat sets, as in "
        "with XdpNat(net): Connections(net, 100)"
    ),
}


class Balancer(Nameable):
    """An XDP program that spreads flows over servers, and what it is told.

    Attributes:
        program: one of bpf/lb_*.c.
        key: of the hash.
        weights: what `use` was told, by name: a server's share is its weight's.
        gone: servers that not even remembered flows are sent to, from the next `use` on.
        number: of its table: how many it has had, so that of two servers' one knows the newer.
        watched: whether health checks say who is ill; while they do, `use` does not overrule them.
        panicking: whether all are in use, ill or not, since too few of them are well.
    """

    @checked
    def __init__(
        self,
        net: Network,
        program: str | Program = "lb_table",
        key: tuple[int, int] | None = None,
        servers: Sequence[str] | None = None,
        at: Interface | None = None,
    ) -> None:
        """Load the program, tell it the servers, and attach it.

        Args:
            net: a network with a VIP.
            program: its name, or the Program.
            key: of the hash, two words of 64 bits; None for one drawn by chance.
            servers: names of the servers to use; all that have the VIP when None.
            at: where to attach it; lb's eth0 when None.

        Raises:
            LabError: for a program whose place is at the servers, or that wants to be told more,
                and as `use`.
        """
        name = getattr(program, "name", program)
        if name in TOLD_MORE and (name != "lb_nat" or isinstance(program, str)):
            raise LabError(TOLD_MORE[name])
        if at is None and name in AT_SERVERS:
            raise LabError(
                f'{name} runs at the servers, as in Peers(net, "{name}"); in front of them is the '
                "place of lb_table and others"
            )
        if key is not None:
            key_of(key)
        self.program = Program(program) if isinstance(program, str) else program
        self.key = key or (secrets.randbits(64), secrets.randbits(64))
        self.gone: set[str] = set()
        self.number = 0
        self.watched = self.panicking = self._settled = False
        self._ill, self._dead = set[str](), set[str]()
        self._panic: float | None = None
        self.net = net
        self.weights: dict[str, float] = {}
        self._used: dict[str, float] = {}  # replaced as a whole: other threads read it
        self._at = net.lb.eth0 if at is None else at
        self._places = {name: place for place, name in enumerate(net.vip_hosts)}
        self._rows = self._before = np.full(ROWS, NO_OWNER, np.uint16)
        self._told: tuple[dict[str, float], set[str]] | None = None
        self._lock = threading.Lock()  # health checks change the servers from a thread of theirs
        vips = [ip_address(vip.partition("/")[0]) for vip in net.vip.split()]
        packed = {vip.version: vip.packed for vip in vips}
        self._settings = {
            "key": {"word": list(self.key)},
            "vip": packed[4],
            "vip6": packed.get(6, bytes(16)),
            "mac": self._at.packed_mac,
            "servers": 0,
        }
        self.use(*(net.vip_hosts if servers is None else servers))
        self.program.attach(self._at)
        self._settled = True

    def use(self, *servers: str, **weights: float) -> None:
        """From now on spread flows over these servers, given by name.

        With a table this is one step: a packet finds the old servers or the new, no mixture.

        Args:
            servers: names; all of them get the same share.
            weights: of servers, by name, as in ``use("s1", "s2", s3=0.5)``: a name alone has weight
                1, and a server with weight 0 gets no new connections.

        Raises:
            LabError: for a server that the network does not have, a weight that is none, and
                weights for a program that has no table.
        """
        if not self._at.host.open:
            raise LabError("this balancer's network is gone; make one anew on the network you have")
        self.must_be_there()
        given = (*servers, *weights)
        unknown = [one for one in given if not isinstance(one, str) or one not in self._places]
        if unknown:
            has = ", ".join(self._places)
            raise LabError(
                f'use() takes names of servers, as in use("s1", "s2"), and this network has {has}: '
                f"{unknown[0]!r} is none of them"
            )
        told = dict.fromkeys(servers, 1.0) | weights
        for name, weight in weights.items():
            if not (isinstance(weight, int | float) and 0 <= weight < math.inf):
                raise LabError(
                    f"a weight is a number from 0 on, as in use(s1=3, s2=1); {weight!r} of {name} "
                    "is none"
                )
        if "tables" not in self.program.maps and len(set(told.values()) - {0}) > 1:
            raise LabError(
                f"{self.program.name} gives every server the same share; weights want a program "
                "with a table, such as lb_table or lb_memory"
            )
        with self._lock:
            if not self.watched:
                self._ill, self._dead, self._panic = set(), set(), None
            self.weights = {name: float(told[name]) for name in self._places if name in told}
            self._apply()

    def must_be_there(self) -> None:
        """A table that no packet meets is not worth filling.

        Raises:
            LabError: when another program has taken the place of this one.
        """
        there = self._at.ours
        other = there.program if there else None
        if self._settled and other and other is not self.program:
            where = f"{self._at.host.name} {self._at.name}"
            raise LabError(
                f"{where} runs another program by now, and nobody would notice what you tell this "
                "one; make it anew, or tell the one that runs"
            )

    def leave_out(
        self, ill: Collection[str], silent: bool = True, panic: float | None = None
    ) -> None:
        """Leave out servers that are ill, whoever `use` named.

        Args:
            ill: all that are; who is no longer among them is used again.
            silent: whether they may be dead, so that not even remembered flows go to them.
            panic: the share of those that `use` names, now or later, that must be well; with fewer,
                or none, all of them are used.  None for no such threshold.
        """
        with self._lock:
            self._ill, self._dead = set(ill), set(ill) if silent else set()
            self._panic = panic
            self._apply()

    @property
    def wanted(self) -> list[str]:
        """The names of those that `use` gave a share, ill or not."""
        return [name for name, weight in self.weights.items() if weight]

    def _apply(self) -> None:
        wanted = self.wanted
        well = len(set(wanted) - self._ill)
        too_few = not well or well < (self._panic or 0) * len(wanted)
        self.panicking = self._panic is not None and bool(wanted) and too_few
        ill, dead = (set[str](), set[str]()) if self.panicking else (self._ill, self._dead)
        gone, out = self.gone | dead, self.gone | ill
        used = {n: weight for n, weight in self.weights.items() if weight and n not in out}
        if self._told == (used, gone):
            return
        self._told = None  # until it is done: who is interrupted here may ask for the same again
        self._used = used
        if "tables" in self.program.maps:
            self._swap(gone)
        else:
            self._list()
        self._told = (used, gone)

    @property
    def servers(self) -> list[str]:
        """The names of those in use."""
        return list(self._used)

    def _list(self) -> None:
        for place, name in enumerate(self.servers):
            self.program["servers"][place] = self._server(name)
        self.program["settings"][0] = self._settings | {"servers": len(self.servers)}

    def _swap(self, gone: Collection[str]) -> None:
        """Fill the table that is not in use, then put it in the place of the other.

        Who comes is written before that, and who is gone is blanked after it, when no packet is
        with the old table any more: a row of a table in use never names a place without a server.
        """
        servers = self.program["servers"]
        for name, place in self._places.items():  # a server keeps its place when it is out of use
            if name not in gone:
                servers[place] = self._server(name)
        self.program["settings"][0] = self._settings
        unused = 1 - self.program["active"][0]
        now = self._owners()
        if self.program.name == "second_chance":
            # A row that this change leaves alone keeps its owner before: another row's change
            # must not cost it its second chance.
            same = (now == self._rows) | (self._rows == NO_OWNER)
            self._before = np.where(same, self._before, self._rows)
            both = np.stack([now, self._before], axis=1)
            self.program["tables"][unused] = {"owners": both}
        else:
            self.program["tables"][unused] = {"rows": now}
        self._rows = now
        self.program["active"][0] = unused
        self.number += 1
        wait_for_programs()
        for name in self._places.keys() & gone:
            servers[self._places[name]] = self._server(name) | {"mac": bytes(6)}

    def _server(self, name: str) -> dict[str, object]:
        return {"seed": int(seed_of(name)), "mac": self.net.hosts[name].first.packed_mac}

    @checked
    def share(self, server: str) -> float:
        """The share of flows that a server gets, between 0 and 1."""
        if server not in self._places:
            raise LabError(f"there is no server {server}; there are {', '.join(self._places)}")
        if server not in self.servers:
            return 0.0
        return float((self._owners() == self._places[server]).mean())

    def _owners(self) -> NDArray[np.uint16]:
        names, weights = tuple(self._used), tuple(self._used.values())
        alike = len(set(weights)) < 2
        return rows(tuple(self._places[n] for n in names), names, None if alike else weights)

    def __repr__(self) -> str:
        where = self._at.host.name if self._at in self.program.places else "no interface any more"
        return f"{self.program.name} at {where}: {', '.join(self.servers) or 'nobody'}"


@lru_cache(maxsize=16)
def rows(
    places: Sequence[int], servers: Sequence[str], weights: Sequence[float] | None = None
) -> NDArray[np.uint16]:
    """A table for bpf/lb_table.c, filled by rendezvous: for each row the place of its owner.

    Args:
        places: of the servers in the map `servers`.
        servers: their names; where there are none, no row has an owner.
        weights: of each, more than 0; None for all alike. A row changes hands only to a server
            whose weight grew, or from one whose weight fell.
    """
    if not servers:
        return np.full(ROWS, NO_OWNER, np.uint16)
    if weights is None:
        return np.array(places, np.uint16)[owners(servers, ROWS)]
    names = rendezvous(mixed(np.arange(ROWS, dtype=np.uint64)), servers, weights)
    found, which = np.unique(names, return_inverse=True)
    return np.array([places[servers.index(str(name))] for name in found], np.uint16)[which]
