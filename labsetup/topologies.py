"""Each lesson's network, written as data.

Addresses come from the ranges kept for documentation: RFC 5737 and RFC 3849.
"""

from __future__ import annotations

from .hosts import Network


def two_hosts(queues: int = 1) -> Network:
    """client and server on one link.

    Args:
        queues: RX and TX queues of each end; with one, one CPU at a time runs XDP there.
    """
    return Network(
        [("client eth0 192.0.2.1/24 2001:db8::1/64", "server eth0 192.0.2.2/24 2001:db8::2/64")],
        queues,
    )
