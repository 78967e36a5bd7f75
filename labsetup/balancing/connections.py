"""Many real TCP connections at once, held open: who serves them, and who loses them.

Clients are sockets in a host's namespace, in the loop of service.py.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import resource
import socket
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..apart import crowding
from ..arguments import amount, checked, whole
from ..errors import LabError
from ..network.host import Host
from ..network.network import Network
from ..network.session import current
from ..plots.live import progress_bar
from ..plots.style import SIGNS
from .given import described
from .hashing import FIVE_TUPLE, MAPPED, Names
from .service import RESET_ON_CLOSE, in_background, services

OPENING, ALIVE, RESET, TIMED_OUT = "opening", "alive", "reset", "timed out"
ENDED = "ended"  # by the client, in good order
NOBODY = "nobody"  # where a connection is that no server ever answered
LONG = 500  # connections for whose opening one may want to see a bar
AT_ONCE = 100  # connections being opened at the same time


def _own_ports() -> Iterator[int]:
    """Source ports below the kernel's own (ip_local_port_range); each trial takes new ones."""
    return itertools.cycle(range(10_000, 32_000))


class _Client(asyncio.Protocol):
    """One connection, from the client's side."""

    def __init__(self) -> None:
        self.state, self.server = OPENING, NOBODY
        self.transport: Any = None
        self._answer: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.state == OPENING:
            self.state, self.server = ALIVE, data.decode().strip()
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self.lose(RESET)

    def lose(self, state: str) -> None:
        if self.state in (OPENING, ALIVE):
            self.state = state
        self._wake()

    def _wake(self) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_result(None)

    def answer(self) -> asyncio.Future[None]:
        """Done when the next bytes have come, or the connection is lost."""
        self._answer = asyncio.get_running_loop().create_future()
        return self._answer

    async def open(self, raw: socket.socket, to: tuple[str, int], wait: float) -> None:
        """Connect, and read whose server it is."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(wait):
                await loop.sock_connect(raw, to)
                greeting = self.answer()
                await loop.create_connection(lambda: self, sock=raw)
                await greeting
        except TimeoutError:
            self.lose(TIMED_OUT)
            raw.close() if self.transport is None else self.transport.abort()
        except OSError:  # refused, or reset before it was open
            self.lose(RESET)
            raw.close()


@dataclass(frozen=True)
class Tally:
    """What became of the connections that one server had."""

    server: str
    alive: int
    reset: int
    timed_out: int

    @property
    def all(self) -> int:
        """How many it had."""
        return self.alive + self.reset + self.timed_out


class Connections:
    """TCP connections from one client to the VIP, each at a server, held open.

    Attributes:
        flows: their five-tuples, rows of `hashing.FIVE_TUPLE`.
    """

    @checked
    def __init__(
        self,
        net: Network,
        number: int = 1000,
        port: int = 80,
        wait: float = 2,
        ipv6: bool = False,
        ports: Iterable[int] = (),
        afresh: bool = True,
    ) -> None:
        """Start the servers and open the connections.

        Args:
            net: a network with a VIP; its first host is the client.
            number: of connections, from 1 to 10,000.
            port: where the servers listen.
            wait: seconds for a connection to open, and for each answer, on a machine that has
                little else to do.
            ipv6: to the IPv6 VIP.
            ports: the client's ports to use first; else the lab takes one after the other.
            afresh: start the servers anew, so that none remembers connections of an earlier trial;
                those connections break.

        Raises:
            LabError: when the network has no such VIP, or the machine has no room.
        """
        vips = [vip.partition("/")[0] for vip in net.vip.split()]
        vip = next((vip for vip in vips if (":" in vip) == ipv6), None)
        if vip is None:
            raise LabError(f"this network has no {'IPv6' if ipv6 else 'IPv4'} VIP")
        whole("the number of connections", number, 1, 10_000)
        amount("the wait in seconds", wait, 0.01, 60)
        _make_room(2 * number + 200)
        self._net, self._wait, self._to = net, wait * crowding(), (vip, port)
        for service in services(net, port).values():
            if afresh:
                service.stop()
            service.start()
        next(iter(net)).at_close(self.close)
        self.flows = np.zeros(0, FIVE_TUPLE)
        self._clients: list[_Client] = []
        self._open(number, ports)

    @checked
    def more(self, number: int) -> Connections:
        """Open some beside those that there are.

        Args:
            number: of new connections, from 0 to 10,000.
        """
        whole("the number of connections", number, 0, 10_000)
        if number:
            _make_room(2 * number + 200)
            self._open(number)
        return self

    def _open(self, number: int, ports: Iterable[int] = ()) -> None:
        some = itertools.chain(ports, current().one(_own_ports))
        sockets = _sockets(next(iter(self._net)), number, self._to[0], some)
        flows = np.concatenate([self.flows, _five_tuples(sockets, *self._to)])
        self.flows = flows.astype(FIVE_TUPLE)  # which concatenate packs more tightly
        clients = [_Client() for _ in sockets]
        self._clients += clients
        with progress_bar(number, f"opening {number:,} connections", number >= LONG) as shown:
            self._run(self._connect(clients, sockets), clients, shown)

    async def _connect(self, clients: list[_Client], sockets: list[socket.socket]) -> None:
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(client: _Client, raw: socket.socket) -> None:
            async with limit:
                await client.open(raw, self._to, self._wait)

        await asyncio.gather(*map(one, clients, sockets))

    async def _ask(self) -> None:
        asked = [client for client in self._clients if client.state == ALIVE]
        answers = [client.answer() for client in asked]
        for client in asked:
            client.transport.write(b"are you there?\n")
        if answers:
            await asyncio.wait(answers, timeout=self._wait)
        for client, answer in zip(asked, answers, strict=True):
            if not answer.done():
                client.lose(TIMED_OUT)
                client.transport.abort()

    def _run(
        self,
        work: Coroutine[Any, Any, None],
        clients: Sequence[_Client],
        shown: Callable[[int], None] = lambda done: None,
    ) -> None:
        """Do it in the loop's thread, and show how many of the clients are at it."""
        limit = time.monotonic() + len(clients) / AT_ONCE * self._wait + 10
        future = in_background(work)
        while not future.done() and time.monotonic() < limit:
            wait([future], timeout=0.1)
            shown(sum(client.state != OPENING for client in clients))
        if not future.done():
            future.cancel()
            raise LabError("the connections did not answer in time; make the network anew")
        future.result()

    def check(self) -> Connections:
        """Send a line through each connection that is alive, and wait for it to come back."""
        self._run(self._ask(), self._clients)
        return self

    @checked
    def end(self, which: NDArray[np.bool_]) -> Connections:
        """Have the client end some of those that are alive: they are not broken, but over.

        Args:
            which: a truth for each connection, in the order of `flows`.

        Raises:
            LabError: for more or fewer than there are.
        """
        if which.dtype != np.bool_ or which.shape != self.alive.shape:
            raise LabError(
                f"end() takes a truth for each of {len(self._clients):,} connections, such as "
                f"connections.at == 's3', not {described(which)}"
            )
        over = [c for c, one in zip(self._clients, which, strict=True) if one and c.state == ALIVE]
        for client in over:
            client.state = ENDED
        in_background(_abort([client.transport for client in over])).result(5)
        return self

    @property
    def at(self) -> Names:
        """The server of each connection, by name; "nobody" where none ever answered."""
        return np.array([client.server for client in self._clients])

    @property
    def alive(self) -> NDArray[np.bool_]:
        """Whether each connection still was alive when it was last used."""
        return np.array([client.state == ALIVE for client in self._clients])

    @property
    def broken(self) -> int:
        """How many were lost since they were opened, or never opened."""
        return sum(client.state not in (ALIVE, ENDED) for client in self._clients)

    @property
    def tallies(self) -> list[Tally]:
        """A tally for each server, in the network's order, and for those that nobody answered."""
        counts = Counter((client.server, client.state) for client in self._clients)
        names = [*self._net.vip_hosts, NOBODY]
        tallies = [Tally(n, *(counts[n, s] for s in (ALIVE, RESET, TIMED_OUT))) for n in names]
        return [one for one in tallies if one.all or one.server != NOBODY]

    def close(self) -> None:
        """Close them all, without a word to the servers' ports that would linger."""
        in_background(_abort([c.transport for c in self._clients if c.transport])).result(5)

    def __repr__(self) -> str:
        tallies = self.tallies
        lines = [f"{'':9} {'connections':>12} {'alive':>7} {'reset':>7} {'timed out':>10}"]
        for place, row in enumerate(tallies):
            sign = "" if row.server == NOBODY else SIGNS[place % len(SIGNS)]
            lines.append(
                f"{sign:1} {row.server:7} {row.all:>12} {row.alive:>7} {row.reset:>7}"
                f" {row.timed_out:>10}"
            )
        total = [
            sum(getattr(t, k) for t in tallies) for k in ("all", "alive", "reset", "timed_out")
        ]
        lines.append(f"{'':9} {total[0]:>12} {total[1]:>7} {total[2]:>7} {total[3]:>10}")
        return "\n".join(lines)


async def _abort(transports: Iterable[Any]) -> None:
    for transport in transports:
        transport.abort()


def _make_room(files: int) -> None:
    """Raise this process's limit of open files, if it is lower; see getrlimit(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files + len(os.listdir("/proc/self/fd"))
    if wanted > hard != resource.RLIM_INFINITY:
        raise LabError(
            f"this machine allows {hard:,} open files and the connections take {wanted:,}; "
            "open fewer, or raise the limit with ulimit -Hn"
        )
    if soft != resource.RLIM_INFINITY and wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _sockets(client: Host, number: int, vip: str, ports: Iterator[int]) -> list[socket.socket]:
    """Sockets with a source port each, so that their five-tuples are known before they connect."""
    made: list[socket.socket] = []
    family = socket.AF_INET6 if ":" in vip else socket.AF_INET
    address = next(
        str(address.ip)
        for interface in client.interfaces.values()
        for address in interface.addresses
        if (address.version == 6) == (":" in vip)
    )
    with client.inside():
        while len(made) < number:
            one = socket.socket(family, socket.SOCK_STREAM)
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            try:
                one.bind((address, whole("a port of the client", next(ports), 1, 65_535)))
            except OSError:  # somebody has that port
                one.close()
                continue
            made.append(one)
    return made


def _five_tuples(sockets: list[socket.socket], vip: str, port: int) -> NDArray[np.void]:
    flows = np.zeros(len(sockets), FIVE_TUPLE)
    for name, text in (("source", sockets[0].getsockname()[0]), ("destination", vip)):
        packed = ip_address(text).packed
        flows[name] = [*MAPPED[: 16 - len(packed)], *packed]
    flows["ports"][:, 0] = [one.getsockname()[1] for one in sockets]
    flows["ports"][:, 1] = port
    flows["protocol"] = socket.IPPROTO_TCP
    return flows
