"""TCP servers on the hosts, and the loop in which they and their clients live.

One asyncio loop in a thread of its own serves them all, so that connections live on while the
notebook does other things.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

from ..arguments import checked, whole
from ..errors import LabError
from ..network.host import Host
from ..network.network import Network
from ..network.session import current

T = TypeVar("T")

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger, socket(7): no TIME_WAIT is left behind


class _Loop:
    """The loop, in its thread; one a session."""

    def __init__(self) -> None:
        self.asyncio = asyncio.new_event_loop()
        threading.Thread(target=self.asyncio.run_forever, daemon=True).start()


def in_background(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Start a coroutine in the loop's thread."""
    return asyncio.run_coroutine_threadsafe(work, current().one(_Loop).asyncio)


class Service:
    """A TCP server on one host: it says the host's name, then sends back all it gets."""

    def __init__(self, host: Host, port: int) -> None:
        self.host, self.port = host, port
        self._listeners: list[tuple[socket.socket, asyncio.Task[None]]] = []
        self._open: set[asyncio.Transport] = set()
        host.at_close(self.stop)

    def start(self) -> None:
        """Listen at each address of the host."""
        if self._listeners:
            return
        with self.host.inside():
            sockets = [socket.create_server(("", self.port), backlog=4096)]
            if socket.has_ipv6:
                six = socket.create_server(("::", self.port), family=socket.AF_INET6, backlog=4096)
                sockets.append(six)
        for one in sockets:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)  # inherited
        in_background(self._listen(sockets)).result(5)

    async def _listen(self, sockets: list[socket.socket]) -> None:
        for one in sockets:
            one.setblocking(False)
            self._listeners.append((one, asyncio.create_task(self._accept(one))))

    async def _accept(self, listener: socket.socket) -> None:
        """No asyncio.Server: it stumbles over what it accepts while it is closed (Python 3.13)."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(listener)
                await loop.connect_accepted_socket(lambda: _Echo(self), accepted)
            except OSError:  # no descriptor is left, say
                await asyncio.sleep(0.1)

    def stop(self) -> None:
        """End as a process does that is killed: nobody listens, every connection is reset."""
        in_background(self._stop()).result(5)

    async def _stop(self) -> None:
        waiting = [task for _, task in self._listeners]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for listener, _ in self._listeners:
            listener.close()
        for transport in list(self._open):
            transport.abort()
        self._listeners = []

    def __repr__(self) -> str:
        held = f"{self.connections:,} connections" if self._listeners else "stopped"
        return f"{self.host.name} port {self.port}: {held}"

    @property
    def connections(self) -> int:
        """How many connections it holds now."""
        return len(self._open)


class _Echo(asyncio.Protocol):
    def __init__(self, service: Service) -> None:
        self._service = service

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # TCP's can be written to
        self._service._open.add(self._transport)
        self._transport.write(f"{self._service.host.name}\n".encode())

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._service._open.discard(self._transport)


class Services(dict[str, Service]):
    """Each server's service, by the server's name."""

    def __missing__(self, name: str) -> Service:
        there = ", ".join(self) or "none, for this network has no VIP"
        raise LabError(f"there is no service of {name}; there are: {there}")


class _Services(WeakKeyDictionary[Network, dict[tuple[str, int], Service]]):
    """Those of each network, by server and port."""


@checked
def services(net: Network, port: int = 80) -> Services:
    """Each server's TCP service by the server's name; `Connections` starts them.

    Args:
        net: a network with a VIP.
        port: where they listen.
    """
    whole("the port", port, 1, 65_535)
    found = current().one(_Services).setdefault(net, {})
    for name in net.vip_hosts:
        if (name, port) not in found:
            found[name, port] = Service(net.hosts[name], port)
    return Services((name, found[name, port]) for name in net.vip_hosts)
