"""Connections one after the other, each with its times: what `replies` and `latency` measure by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import LabError
from ..network.network import Network
from .requests import SHORT, cpu_clock
from .ways import PORT


@dataclass(frozen=True)
class Exchanges:
    """What became of them, in the order in which they were asked for."""

    opened: NDArray[np.float64]  # µs from the SYN to the answer to it; -1 where one failed
    done: NDArray[np.float64]  # µs from the SYN to the reply's last byte; likewise
    received: int  # bytes of replies
    seconds: float
    cpu: float  # seconds of all processes on the network's hosts

    @property
    def failed(self) -> int:
        """How many brought less than was asked for."""
        return int((self.done < 0).sum())

    @property
    def goodput(self) -> float:
        """Bits of replies a second."""
        return 8 * self.received / self.seconds


def exchanges_of(
    net: Network, number: int, size: int = 16, seconds: float = 20, ports: Sequence[int] = ()
) -> Exchanges:
    """Connect to the VIP, ask for *size* bytes, read until the server closes; again and again.

    Args:
        net: a network with a VIP, inside `serving`; its first host is the client.
        number: how often, one at a time.
        size: bytes of a reply.
        seconds: the end in any case.
        ports: of the client, taken in turn; the kernel's own choice where there are none.

    Raises:
        LabError: where the time did not suffice.
    """
    client, clock = next(iter(net)), cpu_clock(net)
    words = ["time", net.vip.split("/")[0], PORT, number, size, seconds, *ports]
    asking = client.start([*SHORT, *map(str, words)])
    asking.wait_for("done", seconds + 10)
    cpu = clock()
    opened, done, received, took, used = json.loads(asking.stop(quiet=0).output.splitlines()[0])
    if len(done) < number:
        raise LabError(
            f"{len(done)} of {number} replies came within {seconds:g} s; ask for fewer, or for "
            "smaller ones"
        )
    return Exchanges(np.array(opened), np.array(done), received, took, cpu + used)
