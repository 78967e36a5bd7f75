"""UDP behind DSR: from which address does a service answer?"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ...balancing.service import in_background
from ...errors import LabError
from ...network.host import Host
from ...network.network import Network
from ...packets.craft import IP, UDP
from ...packets.wire import capture

PORT = 5353
IP_PKTINFO = 8  # bits/in.h; Python has no name for it before 3.14
PKTINFO = struct.Struct("=i4s4s")  # struct in_pktinfo: interface, own address, destination
WAIT = 1.0  # seconds for the last answers


@dataclass(frozen=True)
class Datagrams:
    """What became of questions that the client sent to the VIP."""

    asked: int
    answered: int
    sources: tuple[str, ...]  # of the answers on the client's wire, whether it took them or not

    def __repr__(self) -> str:
        return f"{self.answered} of {self.asked} answered; answers from {', '.join(self.sources)}"


def datagrams(
    net: Network, at: str = "0.0.0.0", pktinfo: bool = False, questions: int = 100
) -> Datagrams:
    """Have a UDP service at each server, and a client that asks it at the VIP.

    The client's socket is connected, as a resolver's is: it takes answers from the address that
    it asked, and no others.

    Args:
        net: what balanced() gives, with a balancer at lb.
        at: the address to which each service is bound; ``"0.0.0.0"`` for any.
        pktinfo: have it answer from the address to which the question came: IP_PKTINFO, ip(7).
        questions: how many, each from a port of its own; at most 1,000.

    Raises:
        LabError: for an address that a server does not have.
    """
    if not (isinstance(questions, int) and 1 <= questions <= 1000):
        raise LabError(f"datagrams() takes 1 to 1,000 questions, not {questions!r}")
    vip, client = net.vip.split("/")[0], next(iter(net))
    with contextlib.ExitStack() as stack:
        for name in net.vip_hosts:
            stack.enter_context(_service(net.hosts[name], at, pktinfo))
        sockets = [stack.enter_context(_asking(client, vip)) for _ in range(questions)]
        with capture(client) as wire:
            for one in sockets:
                one.send(b"who are you?")
            answered, end = 0, time.monotonic() + WAIT
            for one in sockets:
                one.settimeout(max(0.001, end - time.monotonic()))
                with contextlib.suppress(OSError):  # nothing came
                    answered += bool(one.recv(100))
    answers = [seen.packet for seen in wire if not seen.sent and UDP in seen.packet]
    sources = {packet[IP].src for packet in answers if packet[UDP].sport == PORT}
    return Datagrams(questions, answered, tuple(sorted(sources, key=socket.inet_aton)))


def _asking(client: Host, vip: str) -> socket.socket:
    with client.inside():
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.connect((vip, PORT))
    return one


@contextlib.contextmanager
def _service(host: Host, at: str, pktinfo: bool) -> Iterator[None]:
    """Answers every datagram with the host's name, while the block runs."""
    with host.inside():
        service = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with service:
        service.setblocking(False)
        service.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, int(pktinfo))
        try:
            service.bind((at, PORT))
        except OSError as error:
            raise LabError(f"{host.name} has no address {at}: {error.strerror}") from None

        def answer() -> None:
            _, told, _, whom = service.recvmsg(100, socket.CMSG_SPACE(PKTINFO.size))
            wanted = []
            if pktinfo:
                _, _, destination = PKTINFO.unpack(told[0][2])
                own = PKTINFO.pack(0, destination, bytes(4))
                wanted = [(socket.IPPROTO_IP, IP_PKTINFO, own)]
            with contextlib.suppress(OSError):  # the client refused an answer before
                service.sendmsg([host.name.encode()], wanted, 0, whom)

        async def listen(yes: bool) -> None:
            loop = asyncio.get_running_loop()
            if yes:
                loop.add_reader(service, answer)
            else:
                loop.remove_reader(service)

        in_background(listen(True)).result(5)
        try:
            yield
        finally:
            in_background(listen(False)).result(5)
