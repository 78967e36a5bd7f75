"""Servers that share a VIP with nobody in front."""

from __future__ import annotations

import secrets
from collections.abc import Collection

from ..arguments import checked
from ..errors import LabError
from ..network.network import Network
from ..programs.program import Program
from .balancer import AT_SERVERS, TOLD_MORE, Balancer


class Peers(dict[str, Balancer]):
    """Servers that share a VIP with nobody in front: each runs the program, with its own maps."""

    @checked
    def __init__(
        self,
        net: Network,
        program: str = "to_owner",
        key: tuple[int, int] | None = None,
        capture: bool = False,
    ) -> None:
        """Load the program once for each server that has the VIP, and attach it there.

        Args:
            net: a network with a VIP.
            program: ``"to_owner"`` or ``"second_chance"``.
            key: of the hash, the same for all; None for one drawn by chance.
            capture: let `record` and `journey` see what the programs do.

        Raises:
            LabError: for a program whose place is in front of the servers, or that wants to be told
                more, and as `Balancer.use`.
        """
        if program in TOLD_MORE:
            raise LabError(TOLD_MORE[program])
        if program.startswith("lb_"):
            raise LabError(
                f'{program} stands in front of servers, as in Balancer(net, "{program}"); at the '
                f"servers run {' or '.join(AT_SERVERS)}"
            )
        key = key or (secrets.randbits(64), secrets.randbits(64))
        try:
            loaded = Program(program, capture=capture)
            for number, name in enumerate(net.vip_hosts):
                own = Program(loaded, capture=capture) if number else loaded  # with maps of its own
                self[name] = Balancer(net, own, key, at=net.hosts[name].eth0)
        except BaseException:  # interrupted: half of them would be worse than none
            self.detach()
            raise

    def __missing__(self, name: str) -> Balancer:
        raise LabError(f"no server {name} has the program; there are {', '.join(self)}")

    @checked
    def use(self, *servers: str, gone: Collection[str] = (), **weights: float) -> None:
        """Tell every server, one after the other, who shares the VIP from now on.

        Args:
            servers: who gets new connections.
            gone: who is dead, so that nobody hands anything on to it.
            weights: as `Balancer.use` takes them.

        Raises:
            LabError: as `Balancer.use`.
        """
        if unknown := set(gone) - self.keys():
            raise LabError(f"there is no server {min(unknown)}; there are {', '.join(self)}")
        for one in self.values():
            one.must_be_there()  # before anybody is told
        for one in self.values():
            one.gone = set(gone)
            one.use(*servers, **weights)
        self._in_step()

    def leave_out(self, ill: Collection[str], panic: float | None = None) -> None:
        """Tell every server who is ill: those get no new connections, and keep what they have.

        Each server asks itself, so the kernel of one that says it is ill is there, with the
        connections of a service that was perhaps only slow.
        """
        for one in self.values():
            one.leave_out(ill, silent=False, panic=panic)
        self._in_step()

    @property
    def behind(self) -> list[str]:
        """The servers whose table is older than another one's: told last, or not at all."""
        newest = max(one.number for one in self.values())
        return [name for name, one in self.items() if one.number < newest]

    def _in_step(self) -> None:
        """All have been told the same, whatever each of them had missed."""
        newest = max(one.number for one in self.values())
        for one in self.values():
            one.number = newest

    def detach(self) -> None:
        """Take the program off every server."""
        for one in self.values():
            one.program.detach()
