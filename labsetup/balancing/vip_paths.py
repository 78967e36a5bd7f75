"""From lb to the VIP at one server: lb has the VIP itself, so its packets would never leave it.

A mark on a socket chooses a routing table whose only next hop is that server, before the kernel
looks at its own addresses.  Sources: ip-rule(8), SO_MARK in socket(7), accept_local in
Documentation/networking/ip-sysctl.rst.
"""

from __future__ import annotations

import socket

from ..errors import LabError
from ..network.network import Network
from ..network.process import Result

MARK = 0x7100  # and of the tables; plus the server's place
FIRST, OWN = 10, 20  # preferences of the rules: the marks, then the kernel's own addresses


class VipPaths:
    """A way from lb to each server's VIP, for sockets that are marked for it."""

    def __init__(self, net: Network) -> None:
        """Write the rules.

        Args:
            net: a network with an lb, such as balanced().

        Raises:
            LabError: when the kernel takes no rules.
        """
        self._net = net
        self._marks = {name: MARK + place for place, name in enumerate(net.vip_hosts)}
        vip = net.vip.split("/")[0]
        if f"lookup {MARK}" in net.lb.run("ip rule"):  # of one that was interrupted
            self.close()
        lines = [f"rule add preference {OWN} lookup local"]
        for name, mark in self._marks.items():
            via = net.hosts[name].address
            lines += [
                f"route replace {vip} via {via} dev eth0 table {mark}",
                f"rule add preference {FIRST} fwmark {mark} lookup {mark}",
            ]
        said = self._batch([*lines, "rule del preference 0"])
        if said.status:
            raise LabError(f"lb cannot ask each server at the VIP: {said.output.strip()}")
        # The answers come from the VIP, an address of lb's own.
        said = net.lb.run("sysctl -w net.ipv4.conf.eth0.accept_local=1")
        if said.status:
            raise LabError(f"lb cannot ask for the VIP: {said}")

    def aim(self, one: socket.socket, server: str) -> None:
        """Have a socket's packets for the VIP go to this server."""
        one.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, self._marks[server])

    def close(self) -> None:
        """Take the rules back, whichever of them are there."""
        if not self._net.lb.open:
            return
        # The kernel takes a second rule like its own first one, so that one goes before it comes.
        lines = ["rule del preference 0", "rule add preference 0 lookup local"]
        for mark in self._marks.values():
            lines += [f"rule del preference {FIRST} fwmark {mark}", f"route flush table {mark}"]
        self._batch([*lines, f"rule del preference {OWN}"], "-force")

    def _batch(self, lines: list[str], *options: str) -> Result:
        script = "".join(f"{line}\n" for line in lines)
        words = " ".join(["ip", *options, "-batch", "-"])
        return self._net.lb.run(["sh", "-c", f"{words} <<'END'\n{script}END"])
