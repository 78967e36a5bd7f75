"""Which servers are well: a look at each of them, again and again."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass
from typing import Protocol, runtime_checkable
from weakref import WeakKeyDictionary

from ..arguments import amount, checked, whole
from ..errors import LabError
from ..network.network import Network
from ..network.session import current
from .balancer import Balancer
from .peers import Peers
from .service import in_background
from .vip_paths import VipPaths


@dataclass(frozen=True)
class Event:
    """A server was found ill, or well again, and everybody has been told."""

    at: float  # by time.monotonic(), in seconds
    server: str
    well: bool

    def __repr__(self) -> str:
        return f"{self.server} is {'back' if self.well else 'out'}"


@runtime_checkable
class Routes(Protocol):
    """Who tells a router its next hops: `Bgp`, or a hand that types."""

    def use(self, *servers: str) -> None:
        """Have these servers as next hops, and no others."""


class HealthChecks:
    """Asks each server again and again; one that is ill is out of use until it is well.

    A balancer asks each server at the VIP, as a client's packet comes to it.  Without a balancer
    each server asks itself, at the VIP too.  So a server that lost the VIP is ill, and so is one
    whose service does not answer, however well the machine is.

    Use it as a context manager, or call `stop()`.

    Attributes:
        events: what has changed so far.
        within: seconds in which a server that does not answer is out of use, at the latest.
        errors: what went wrong in a probe of your own, or when others were told.
    """

    @checked
    def __init__(
        self,
        balancer: Balancer | Peers,
        interval: float = 0.25,
        threshold: int = 2,
        port: int = 80,
        send: bytes = b"",
        expect: bytes = b"",
        probe: Callable[[str], bool] | None = None,
        panic: float = 0.5,
        routes: Routes | None = None,
    ) -> None:
        """Begin; checks that still go on in this network end.

        Args:
            balancer: whose servers; or Peers, where each server is asked by itself.
            interval: seconds from one check to the next, and for its answer; at least 0.05.
            threshold: checks in a row that must fail, or succeed, to change a server's state.
            port: the TCP port that is checked. A connection that opens is enough, unless there
                is more to it:
            send: what to ask once it is open, such as ``b"GET / HTTP/1.0\\r\\n\\r\\n"``; most
                services wait for the client to speak first.
            expect: what the answer must contain, such as ``b" 200 "``.
            probe: takes a server's name and says whether it is well, in place of all that; it
                runs on the host that asks, in a thread, and should not take longer than
                *interval*.
            panic: a share from 0 to 1. With fewer well servers than that, or none, all are used:
                so many can hardly be ill, but the check can; and the few would be overrun. Envoy
                calls it a panic threshold, https://www.envoyproxy.io/docs, and begins at 0.5.
            routes: `Bgp`, or ByHand: it is told as well, after the balancer.

        Raises:
            LabError: for a number that is none of these.
        """
        amount("the interval of health checks in seconds", interval, 0.05, 60)
        whole("the threshold of health checks", threshold, 1, 1000)
        whole("the port", port, 1, 65_535)
        amount("panic, a share such as 0.5 for half,", panic, 0, 1)
        for words in (send, expect):
            if not isinstance(words, bytes):
                raise LabError(f'send and expect are bytes, as in b"GET / HTTP/1.0", not {words!r}')
        self._interval, self._threshold, self._port = interval, threshold, port
        self._send, self._expect, self._probe = send, expect, probe
        self._panic, self._routes = panic, routes
        self._balancers = [balancer] if isinstance(balancer, Balancer) else list(balancer.values())
        self._told, self._net = balancer, self._balancers[0].net
        self.within = (threshold + 1) * interval + interval
        self.events: list[Event] = []
        self.errors: list[str] = []
        self._ended = False
        self._ill = set[str]()
        self._telling = threading.Lock()
        running = current().one(_Running)
        if self._net in running:
            running[self._net].stop()
        self._paths = VipPaths(self._net) if isinstance(balancer, Balancer) else None
        for one in self._balancers:
            one.watched = True
            one.leave_out((), panic=panic)  # whom checks before these left out is asked anew
        next(iter(self._net)).at_close(self.stop)
        self._work = in_background(self._watch())
        running[self._net] = self

    async def _watch(self) -> None:
        await asyncio.gather(*map(self._watch_one, self._net.vip_hosts))

    async def _watch_one(self, server: str) -> None:
        well, row = True, 0
        while True:
            begun = time.monotonic()
            answered = await self._is_well(server)
            row = row + 1 if answered != well else 0
            if row == self._threshold:
                well, row = answered, 0
                # In a thread: this one carries the lab's connections.
                await asyncio.to_thread(self._change, server, well)
            await asyncio.sleep(max(0, begun + self._interval - time.monotonic()))

    def _change(self, server: str, well: bool) -> None:
        """Tell those who must know: the tables first, so that no packet comes to a stranger."""
        with self._telling:
            if self._ended:
                return
            self._ill ^= {server}
            try:
                self._told.leave_out(self._ill, panic=self._panic)
                wanted = self._balancers[0].wanted
                alive = [name for name in wanted if name not in self._ill]
                if self._routes and wanted:
                    self._routes.use(*(wanted if self.panicking else alive))
            except (LabError, OSError) as error:  # nobody waits for this thread
                self.errors.append(str(error))
            self.events.append(Event(time.monotonic(), server, well))

    @property
    def panicking(self) -> bool:
        """Whether all servers are in use because too few of those that `use` named are well."""
        return self._balancers[0].panicking

    async def _is_well(self, server: str) -> bool:
        try:
            async with asyncio.timeout(self._interval):
                if self._probe:
                    return await asyncio.to_thread(self._own_probe, server)
                return await self._answers(server)
        except (OSError, TimeoutError):
            return False

    def _own_probe(self, server: str) -> bool:
        assert self._probe
        asking = self._net.lb if self._paths else self._net.hosts[server]
        try:
            with asking.inside():
                return bool(self._probe(server))
        except (OSError, TimeoutError):
            return False
        except Exception as error:  # the reader's own code: anything
            said = f"the probe of {server} failed: {type(error).__name__}: {error}"
            if said not in self.errors:
                self.errors.append(said)
            return False

    async def _answers(self, server: str) -> bool:
        """Whether it takes a connection to the VIP, and answers as it should."""
        loop = asyncio.get_running_loop()
        with self._socket(server) as asking:
            await loop.sock_connect(asking, (self._net.vip.split("/")[0], self._port))
            if self._send:
                await loop.sock_sendall(asking, self._send)
            said = b""
            while self._expect not in said:
                more = await loop.sock_recv(asking, 4096)
                if not more:
                    return False
                said = (said + more)[-65_536:]
        return True

    def _socket(self, server: str) -> socket.socket:
        """One whose packets for the VIP come to this very server."""
        host = self._net.lb if self._paths else self._net.hosts[server]
        with host.inside():
            one = socket.socket()
        one.setblocking(False)
        try:
            if self._paths:
                self._paths.aim(one, server)
            else:  # refused where the VIP is no longer; else another server would answer
                one.bind((self._net.vip.split("/")[0], 0))
        except OSError:
            one.close()
            raise
        return one

    def wait(self, *ill: str, timeout: float = 15) -> float:
        """Wait until these servers are known to be ill, and no others: none, until all are well.

        Args:
            ill: their names.
            timeout: seconds.

        Returns:
            seconds that it took.

        Raises:
            LabError: when it takes longer, or for a server that the network does not have.
        """
        unknown = [name for name in ill if name not in self._net.vip_hosts]
        if unknown:
            there = ", ".join(self._net.vip_hosts)
            raise LabError(f"there is no server {unknown[0]}; there are: {there}")
        begun = time.monotonic()
        while (found := self._found()) != set(ill):
            if time.monotonic() > begun + timeout:
                known = (
                    f"{', '.join(sorted(found)) or 'nobody'} {'are' if len(found) > 1 else 'is'}"
                )
                raise LabError(
                    f"after {timeout:g} s {known} known to be ill, and not "
                    f"{', '.join(ill) or 'nobody'}"
                )
            time.sleep(0.01)  # polls: the loop's thread goes its own way
        return time.monotonic() - begun

    def _found(self) -> set[str]:
        """Who is ill, as all have been told."""
        last = {event.server: event.well for event in self.events}
        return {server for server, well in last.items() if not well}

    def stop(self) -> None:
        """Check no more; the servers in use stay as they are, until the next `use`."""
        with self._telling:  # what is being told is told to its end
            if self._ended:
                return
            self._ended = True
        self._work.cancel()
        wait([self._work], timeout=1)
        for one in self._balancers:
            one.watched = False
        if self._paths:
            self._paths.close()

    def __enter__(self) -> HealthChecks:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        lines = list(map(repr, self.events)) or ["every server has been well so far"]
        if self.panicking:
            wanted = self._balancers[0].wanted
            well = len(set(wanted) - self._ill)
            few = f", fewer than the panic threshold of {self._panic:.0%}" if self._panic else ""
            lines.append(f"{well} of {len(wanted)} are well{few}: all of them are used")
        return "\n".join([*lines, *self.errors])


class _Running(WeakKeyDictionary[Network, HealthChecks]):
    """Those of each network."""
