"""Our XDP program with the answers' way back through it, to hold direct server return against."""

from __future__ import annotations

import socket

from ..arguments import checked
from ..network.network import Network
from ..programs.program import Program
from .ways import Xdp


class XdpNat(Xdp):
    """The XDP program that gives servers' own addresses to packets, and the VIP to the answers.

    So answers must come back through lb: each server gets a route to the client by way of lb, as
    with nftables' DNAT, and sees the client's own address.  Unlike conntrack lb remembers nothing:
    the table chooses the server, and whatever comes from a server's port 80 is an answer.  So who
    asks a server at its own address gets an answer from the VIP, and does not understand it.
    """

    name = "XDP NAT"

    @checked
    def __init__(self, net: Network) -> None:
        super().__init__(net, "lb_nat")

    def _load(self, program: str) -> Program:
        """Before it is attached it knows all: else a packet would go to 0.0.0.0."""
        loaded = Program(program)
        for place, name in enumerate(self.net.vip_hosts):
            address = socket.inet_aton(self._address(name))
            loaded["addresses"][place] = address
            loaded["answering"][address] = place
        loaded["way_back"][0] = {"seed": 0, "mac": self.net.client.first.packed_mac}
        return loaded

    def _typed(self) -> str:
        return "Balancer(net, program)  # lb_nat, its maps addresses, answering and way_back filled"

    def _begin(self) -> None:
        super()._begin()
        self._answers_by_lb()
