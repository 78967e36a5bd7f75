"""Datagrams that never stop, each with a number: who got which, and whom that flow may come to."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import Counter, defaultdict

from labsetup.network.network import Network

from .service import UDP_PORT, udp_frame

ROOM, SO_RCVBUFFORCE = 64 * 2**20, 33
ETH_P_IP = 0x0800
FLOWS = range(20_000, 20_128)
HEADERS = 42


class Traffic:
    """Frames of 128 flows from the client to the VIP, until `stop()`.

    Attributes:
        sent: how many.
        got: for each host the numbers of the frames that it got, addressed to it.
        hosts: for each flow how many frames each host got.
    """

    def __init__(self, net: Network, per_second: int = 3000) -> None:
        """Begin.

        Args:
            net: what balanced() gives.
            per_second: frames, at most.
        """
        self._net, self._pause = net, 8 / per_second
        self.sent, self._ended = 0, threading.Event()
        self.got: defaultdict[str, list[int]] = defaultdict(list)
        self.hosts: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._selector = selectors.DefaultSelector()
        for name in ("lb", *net.vip_hosts):
            with net.hosts[name].inside():
                tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
                tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
                tap.bind(("eth0", ETH_P_IP))
            tap.setblocking(False)
            self._selector.register(tap, selectors.EVENT_READ, name)
        with net.client.inside():
            self._out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self._out.bind(("eth0", 0))
        self._threads = [threading.Thread(target=one) for one in (self._send, self._read)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        frames = {flow: udp_frame(self._net, flow, 0)[:-8] for flow in FLOWS}
        while not self._ended.is_set():
            for flow in FLOWS:
                self._out.send(frames[flow] + self.sent.to_bytes(8, "big"))
                self.sent += 1
                if self.sent % 8 == 0:
                    time.sleep(self._pause)

    def _read(self) -> None:
        last = 0.0
        while not last or time.monotonic() < last + 1:  # a second for what is on its way
            if self._ended.is_set() and not last:
                last = time.monotonic()
            for key, _ in self._selector.select(0.1):
                self._take(key.fileobj, key.data)  # type: ignore[arg-type]  # a socket of ours

    def _take(self, tap: socket.socket, name: str) -> None:
        for _ in range(100):
            try:
                frame, address = tap.recvfrom(200)
            except BlockingIOError:
                return
            ours = frame[23] == 17 and frame[36:38] == UDP_PORT.to_bytes(2, "big")
            if ours and address[2] == 0:  # PACKET_HOST: what a switch floods is for others
                self.got[name].append(int.from_bytes(frame[52:60], "big"))
                self.hosts[int.from_bytes(frame[34:36], "big")][name] += 1

    def stop(self) -> Traffic:
        """Send no more, and read what is on its way."""
        self._ended.set()
        for thread in self._threads:
            thread.join(10)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # a socket of ours
        self._out.close()
        return self

    @property
    def lost(self) -> int:
        """How many no server got; those that lb kept for itself are among them."""
        everywhere = [n for name, numbers in self.got.items() if name != "lb" for n in numbers]
        return self.sent - len(set(everywhere))

    def misdirected(self, owners: dict[int, str], newcomers: set[str]) -> int:
        """How many came to a server that no set of servers gives their flow to, or to lb.

        Args:
            owners: of each flow, by the smaller set.
            newcomers: who is in the larger set only: by rendezvous nobody else takes a flow.
        """
        return sum(
            number
            for flow, hosts in self.hosts.items()
            for name, number in hosts.items()
            if name not in newcomers | {owners[flow]}
        )

    def owners(self) -> dict[int, str]:
        """The one host of each flow, while nothing changes."""
        assert all(len(hosts) == 1 for hosts in self.hosts.values()), self.hosts
        return {flow: next(iter(hosts)) for flow, hosts in self.hosts.items()}
