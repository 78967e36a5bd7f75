"""Which of a balancer's servers are well."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass

from ..arguments import amount, checked, whole
from .balancer import Balancer
from .service import in_background


@dataclass(frozen=True)
class Event:
    """A server was found ill, or well again."""

    at: float  # by time.monotonic(), in seconds
    server: str
    well: bool

    def __repr__(self) -> str:
        return f"{self.server} is {'back' if self.well else 'out'}"


class HealthChecks:
    """A balancer's own look at its servers: a TCP connection to each, again and again.

    Use it as a context manager, or call `stop()`.

    Attributes:
        events: what has changed so far.
        within: seconds in which a server that does not answer is out of use, at the latest.
    """

    @checked
    def __init__(
        self, balancer: Balancer, interval: float = 0.25, threshold: int = 2, port: int = 80
    ) -> None:
        """Begin.

        Args:
            balancer: whose servers; a server is out of use while it is ill.
            interval: seconds from one check to the next, and for its answer.
            threshold: checks in a row that must fail, or succeed, to change a server's state.
            port: the TCP port that is checked.
        """
        amount("the interval of health checks in seconds", interval, 0.05, 60)
        whole("the threshold of health checks", threshold, 1, 1000)
        whole("the port", port, 1, 65_535)
        self._balancer, self._interval, self._threshold = balancer, interval, threshold
        self._port = port
        self._wanted, self._ill = list(balancer.servers), set[str]()
        self.within = (threshold + 1) * interval + interval
        self.events: list[Event] = []
        self._ended = False
        balancer.net.lb.at_close(self.stop)
        self._work = in_background(self._watch())

    async def _watch(self) -> None:
        await asyncio.gather(*map(self._watch_one, self._wanted))

    async def _watch_one(self, server: str) -> None:
        well, row = True, 0
        while not self._ended:
            begun = time.monotonic()
            answered = await self._answers(server)
            row = row + 1 if answered != well else 0
            if row == self._threshold:
                well, row = answered, 0
                self.events.append(Event(time.monotonic(), server, well))
                self._ill ^= {server}
                self._balancer.gone = set(self._ill)
                self._balancer.use(*(name for name in self._wanted if name not in self._ill))
            await asyncio.sleep(max(0, begun + self._interval - time.monotonic()))

    async def _answers(self, server: str) -> bool:
        """Whether a server accepts a connection and says something, as a client would want."""
        lb, address = self._balancer.net.lb, self._balancer.net.hosts[server].address
        with lb.inside():
            probe = socket.socket()
        probe.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._interval):
                await loop.sock_connect(probe, (address, self._port))
                return bool(await loop.sock_recv(probe, 100))
        except (OSError, TimeoutError):
            return False
        finally:
            probe.close()

    def stop(self) -> None:
        """Check no more; the servers in use stay as they are."""
        self._ended = True

    def __enter__(self) -> HealthChecks:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.events)) or "every server has been well so far"
