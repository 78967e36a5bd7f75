"""What lesson 08 changes and looks at: its servers and router as one, and where packets end up."""

from __future__ import annotations

import time
from collections.abc import Sequence

from scapy.packet import Packet

from ...arguments import checked
from ...balancing.peers import Peers
from ...errors import LabError
from ...network.network import Network
from ...network.process import Result
from ...packets.craft import Ether
from ...packets.wire import send
from ...routing.ecmp import ecmp, known, router_of, set_cable
from ...routing.neighbours import Neighbours

ECMP_ALONE, RESILIENT, NEIGHBOURS = "ECMP alone", "resilient", "neighbours"
WAYS = [ECMP_ALONE, RESILIENT, "to_owner", "second_chance", NEIGHBOURS]


class Site:
    """Servers with nobody in front, and their router: what changes, changes at all of them.

    Use it as a context manager, or call `close()`.

    Attributes:
        peers: the servers' programs by server; None where the router alone has a table.
        neighbours: the router's table by that way, None by others.
        dead: names of servers whose cable is pulled.
    """

    @checked
    def __init__(self, net: Network, way: str, key: tuple[int, int] | None = None) -> None:
        """Load the program at every server, and let the router split over all of them.

        Args:
            net: a network such as no_balancer().
            way: ``"ECMP alone"``, or with a ``"resilient"`` group; or the program at the servers:
                ``"to_owner"``, ``"second_chance"`` or ``"neighbours"``.
            key: of the servers' hash, the same for all; None for one drawn by chance.

        Raises:
            LabError: for another way, and for one that this machine does not have.
        """
        if way not in WAYS:
            raise LabError(f"there is no way {way!r}; there are: {', '.join(WAYS)}")
        self.net, self.way = net, way
        self.dead = set[str]()
        self._closed = False
        self.peers: Peers | None = None
        self.neighbours: Neighbours | None = None
        if way == RESILIENT:
            router_of(net).run("ip nexthop flush")  # buckets remember what was before
        ecmp(net, resilient=way == RESILIENT)
        if way == NEIGHBOURS:
            self.neighbours = Neighbours(net)
        elif way not in (ECMP_ALONE, RESILIENT):
            self.peers = Peers(net, way, key)

    @staticmethod
    @checked
    def ways(net: Network) -> list[str]:
        """All that this machine has, and a line that says why, for each that it has not.

        Args:
            net: a network such as no_balancer(); its router has plain next hops after it.
        """
        missing = {NEIGHBOURS: Neighbours.missing(net)}
        try:
            ecmp(net, resilient=True)
        except LabError as reason:  # a kernel before 5.13
            missing[RESILIENT] = str(reason)
        ecmp(net)
        for way, why in missing.items():
            if why:
                print(f"without {way}: {why}")
        return [way for way in WAYS if not missing.get(way)]

    @checked
    def use(self, *servers: str) -> None:
        """Have these servers, and no others, get new connections.

        The servers hear of it first, then the router: no packet comes to one that does not know.
        By `neighbours` it is the router alone that hears of it.

        Args:
            servers: names, in the order in which the router lists its next hops.

        Raises:
            LabError: for a server that the network does not have, that is dead, or none.
        """
        if self._closed:
            raise LabError(f'this site is closed; make a new one: Site(net, "{self.way}")')
        names = known(self.net, servers)
        if self.dead & set(names):
            raise LabError(f"{', '.join(sorted(self.dead & set(names)))} has no cable any more")
        if self.neighbours:
            self.neighbours.use(*names, gone=self.dead)
            return
        if self.peers:
            self.peers.use(*names, gone=self.dead)
        ecmp(self.net, names, resilient=self.way == RESILIENT)

    def restart_router(self) -> Result:
        """Have the router forget its next hops and its neighbours; `use` tells it some again."""
        if self.neighbours:
            self.neighbours.restart_router()
        return router_of(self.net).run("ip nexthop flush")

    def pull_cable(self, server: str) -> Result:
        """Cut a server off; from the next `use` on, nobody hands anything on to it."""
        self.dead.update(known(self.net, [server]))
        return set_cable(self.net, server, "down")

    def close(self) -> None:
        """Take the program off every server, and plug in the cables that were pulled."""
        self._closed = True
        if self.peers:
            self.peers.detach()
        if self.neighbours:
            self.neighbours.stop()
        while self.dead:
            set_cable(self.net, self.dead.pop(), "up")

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        dead = f"; without a cable: {', '.join(sorted(self.dead))}" if self.dead else ""
        return f"{self.way} at {', '.join(self.net.vip_hosts)}{dead}"


@checked
def counted_at(
    net: Network,
    counter: str,
    packets: Packet | bytes | Sequence[Packet | bytes],
    limit: float = 5,
) -> list[str]:
    """Send packets from the client to the router; which servers' kernels counted something?

    Args:
        net: a network such as no_balancer().
        counter: its name, as nstat(8) lists it, such as ``"IcmpInDestUnreachs"``.
        packets: from the IP header on; or frames, as `segments` gives them.
        limit: seconds to wait for the first server that counts.

    Returns:
        the server's name for each time that its counter went up; none, when nobody counted.
    """
    several = [packets] if isinstance(packets, Packet | bytes) else packets
    head, before = Ether(dst=router_of(net).first.mac), _counts(net, counter)
    send(net.client.eth0, [one if isinstance(one, bytes) else head / one for one in several])
    last, after, end = before, _counts(net, counter), time.monotonic() + limit
    while (after == before or after != last) and time.monotonic() < end:
        time.sleep(0.01)  # polls: nobody tells when a counter moves, or moves no more
        last, after = after, _counts(net, counter)
    return [name for name in net.vip_hosts for _ in range(after[name] - before[name])]


def _counts(net: Network, counter: str) -> dict[str, int]:
    said = {name: net.hosts[name].run(f"nstat -asz {counter}") for name in net.vip_hosts}
    for result in said.values():
        if counter not in result:
            raise LabError(f"there is no counter {counter}: «{result.command}» does not list it")
    return {name: int(result.output.split()[-2]) for name, result in said.items()}
