"""A failure that two lessons have: interfaces to which the stack leaves checksums."""

from __future__ import annotations

from labsetup import Connections
from labsetup.network.network import Network


def see_checksums(net: Network) -> str:
    """What the servers count of 20 connections, in words."""

    def wrong() -> int:
        said = [net.hosts[n].run("nstat -asz TcpInCsumErrors").output for n in net.vip_hosts]
        return sum(int(one.split()[2]) for one in said)

    before = wrong()
    Connections(net, 20, wait=0.3)
    return f"TcpInCsumErrors grew by {wrong() - before} at the servers, for 20 connections"


def offload_everywhere(net: Network, state: str) -> None:
    """Turn TX checksum offload ``"on"`` or ``"off"`` at every interface."""
    for host in net:
        for name in host.interfaces:
            host.run(f"ethtool --offload {name} tx {state}")
