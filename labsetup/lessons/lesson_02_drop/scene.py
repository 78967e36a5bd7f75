"""The network of lesson 02, in which something is wrong."""

from __future__ import annotations

from ...arguments import checked
from ...network.network import Network
from ...network.topologies import two_hosts
from ...programs.program import Program


@checked
def silent_hosts() -> Network:
    """client and server, which have talked before and now do not: lesson 02 finds out why."""
    net = two_hosts()
    net.client.ping(net.server, count=1)
    Program("xdp_drop").attach(net.server.eth0)
    return net
