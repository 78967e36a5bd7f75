"""Which servers are well, and at which MAC address: a look at each of them, again and again."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections import Counter

from plane import Plane
from settings import Server, Service, Settings

ARP, COMPLETE = "/proc/net/arp", 2  # proc_net_arp(5); ATF_COM, linux/if_arp.h
DISCARD = 9  # a datagram there makes the kernel ask for the MAC address, and nobody answers


class Health:
    """Writes into a plane's `ill` and `macs` what it finds.

    Attributes:
        failed: probes that failed, by service and server.
    """

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._row: Counter[bytes] = Counter()  # answers that contradict what is known, in a row
        self.failed: Counter[tuple[str, str]] = Counter()

    async def look(self, settings: Settings) -> None:
        """Probe each server once; in one interval all is over."""
        find_macs(self._plane, settings)
        every = [(service, server) for service in settings.services for server in service.servers]
        answers = await asyncio.gather(*(self._answers(*one, settings) for one in every))
        for (service, server), well in zip(every, answers, strict=True):
            key = service.key + server.packed
            if key not in self._plane.known:  # a reload took it out meanwhile
                continue
            self.failed[service.name, server.name] += not well
            self._row[key] = self._row[key] + 1 if well == (key in self._plane.ill) else 0
            if self._row[key] >= settings.threshold:
                self._plane.ill ^= {key}
                self._row[key] = 0
                print(f"{server.name} of {service.name} is {'back' if well else 'out'}", flush=True)

    async def _answers(self, service: Service, server: Server, settings: Settings) -> bool:
        """Whether a server takes a connection, and answers a GET with 2xx or 3xx."""
        kind, port, path = service.probe
        if kind == "none":
            return True
        address = service.vip if server.mark else server.address
        try:
            with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as one:
                one.setblocking(False)
                if server.mark:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, server.mark)
                async with asyncio.timeout(settings.interval):
                    loop = asyncio.get_running_loop()
                    await loop.sock_connect(one, (address, port))
                    if kind == "tcp":
                        return True
                    ask = f"GET {path} HTTP/1.0\r\nHost: {service.vip}\r\n\r\n"
                    await loop.sock_sendall(one, ask.encode())
                    said = b""
                    while len(said) < 12 and (more := await loop.sock_recv(one, 512)):
                        said += more
                    return bool(re.match(rb"HTTP/1\.[01] [23]\d\d", said))
        except (OSError, TimeoutError):
            return False


def find_macs(plane: Plane, settings: Settings) -> bool:
    """Read the MAC addresses of all servers; where one is not known yet, have the kernel ask.

    Returns:
        whether each server has one, perhaps from before.
    """
    with open(ARP) as file:
        table = [line.split() for line in file][1:]
    there = {
        address: bytes.fromhex(mac.replace(":", ""))
        for address, _, flags, mac, _, interface in table
        if int(flags, 16) & COMPLETE and interface == settings.interface
    }
    for service in settings.services:
        for server in service.servers:
            mac = server.mac or there.get(server.address)
            if mac:
                plane.macs[service.key + server.packed] = mac
            elif ":" not in server.address:
                with (
                    contextlib.suppress(OSError),  # no route there: it stays unknown
                    socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
                ):
                    one.sendto(b"", socket.MSG_DONTWAIT, (server.address, DISCARD))
    return all(one.key + s.packed in plane.macs for one in settings.services for s in one.servers)


async def wait_for_macs(plane: Plane, settings: Settings, limit: float = 2) -> None:
    """Give the kernel some time to learn where new servers are."""
    for _ in range(int(limit / 0.05)):
        if find_macs(plane, settings):
            return
        await asyncio.sleep(0.05)  # polls: /proc/net/arp tells nobody that it changed
