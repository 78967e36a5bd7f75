"""Where BIRD is missing, or cannot speak: somebody types the next hops, with the verbs of `Bgp`."""

from __future__ import annotations

from ..arguments import checked
from ..errors import LabError
from ..network.network import Network
from ..network.process import Result
from .bgp import Bgp
from .ecmp import ecmp, known, routes_of, set_cable


class ByHand:
    """A router whose next hops are typed: nobody announces anything, and nobody notices a crash.

    Attributes:
        announcing: names of the servers that are its next hops.
        reason: why it is not BGP, for the reader.
    """

    def __init__(self, net: Network, reason: str = "") -> None:
        """Give the router all servers as next hops.

        Args:
            net: a network such as no_balancer().
            reason: why it is not BGP, for the reader.
        """
        self.net, self.reason = net, reason
        self.announcing = set[str]()
        self.use(*known(net, None))

    def use(self, *servers: str) -> None:
        """Have these servers as next hops, and no others; a crashed one is plugged in again.

        Raises:
            LabError: for a server that the network does not have, or none.
        """
        names = known(self.net, servers)
        for name in names:
            set_cable(self.net, name, "up")
        ecmp(self.net, names)
        self.announcing = set(names)

    def crash(self, name: str) -> Result:
        """Pull a server's cable, and take it out by hand, since nothing here would notice.

        Raises:
            LabError: for a server that is no next hop, or the last one.
        """
        if name not in self.announcing:
            there = ", ".join(sorted(self.announcing))
            raise LabError(f"{name} is no next hop; there are: {there}")
        rest = known(self.net, sorted(self.announcing - {name}))
        result = set_cable(self.net, name, "down")
        ecmp(self.net, rest)
        self.announcing = set(rest)
        return result

    def wait(self) -> float:
        """No time at all: a typed route is there at once."""
        return 0.0

    def stop(self) -> None:
        """Nothing runs, so nothing ends; the next hops stay until somebody types others."""

    @property
    def routes(self) -> str:
        """The router's routes to the VIP, as the kernel has them."""
        return routes_of(self.net)

    def __repr__(self) -> str:
        said = [f"{self.reason}\nSo the next hops are typed by hand:"] if self.reason else []
        return "\n".join([*said, self.routes])


@checked
def bgp_or_by_hand(net: Network) -> Bgp | ByHand:
    """The servers announce the VIP over BGP; without BIRD their next hops are typed.

    Args:
        net: a network such as no_balancer(); next hops that it had are taken away.
    """
    try:
        return Bgp(net)
    except LabError as reason:
        return ByHand(net, str(reason))
