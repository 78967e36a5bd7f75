"""A host of a lesson: a namespace with interfaces, from which packets go to others."""

from __future__ import annotations

import contextlib
import difflib
import ipaddress
import os
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..arguments import amount, checked, shown, whole
from ..errors import LabError, NoSuchName
from . import sandbox
from .interface import Interface
from .namespace import Namespace


@dataclass(frozen=True)
class Ping:
    """What became of some echo requests."""

    sent: int
    received: int
    command: str

    def __repr__(self) -> str:
        return f"{self.sent} sent, {self.received} received\n$ {self.command}"


@dataclass(frozen=True)
class Connection:
    """What became of a TCP connection."""

    ok: bool
    to: str
    error: str

    def __repr__(self) -> str:
        return f"TCP to {self.to}: {'all bytes came back' if self.ok else self.error}"


class Host(Namespace):
    """A machine of the lesson's network: a network namespace with interfaces.

    Its interfaces are attributes: ``net.server.eth0``.
    """

    def __init__(self, name: str, sysctls: Mapping[str, int]) -> None:
        self.interfaces: dict[str, Interface] = {}
        super().__init__(name, sysctls)

    def __getattr__(self, name: str) -> Interface:
        interfaces: dict[str, Interface] = self.__dict__.get("interfaces", {})
        if name in interfaces:
            return interfaces[name]
        if name.startswith("_"):  # Python and IPython probe for such names
            raise AttributeError(name)
        has = ", ".join(interfaces) or "none yet"
        # AttributeError, so that hasattr() and completion go on working.
        raise NoSuchName(f"{self.name} has no interface or method {name}; its interfaces: {has}")

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *self.interfaces]

    @property
    def first(self) -> Interface:
        """Its first interface, by which a host with one link is known to others."""
        return next(iter(self.interfaces.values()))

    @property
    def address(self) -> str:
        """The first address of its first interface."""
        return str(self.first.addresses[0].ip)

    @checked
    def ping(
        self,
        target: Host | Interface | str,
        count: int = 3,
        interval: float = 0.05,
        wait: float = 1,
        size: int = 56,
        cpu: int | None = None,
    ) -> Ping:
        """Send ICMP echo requests and count the replies.

        Args:
            target: a host, an interface, or an address.
            count: number of requests.
            interval: seconds between two requests.
            wait: seconds to wait for the last reply.
            size: bytes of payload in each.
            cpu: the CPU that sends; any, when None.

        Raises:
            LabError: for a text that is no IP address, or when there is no such host any more.
        """
        address = _written(target) if isinstance(target, str) else self._address_of(target)
        if cpu is not None and cpu not in cpus():
            raise LabError(f"there is no CPU {cpu}; cpus() lists those there are")
        whole("the count of ping()", count, 1, 1_000_000)
        amount("the interval of ping() in seconds", interval, 0.002, 3600)
        amount("the wait of ping() in seconds", wait, 0, 3600)
        whole("the size of ping()", size, 0, 65_507)
        payload = "" if size == 56 else f"-s {size} "
        command = f"ping -c {count} -i {interval:g} -W {wait:g} {payload}{address}"
        if cpu is not None:
            command = f"taskset -c {cpu} {command}"
        result = self.run(command, timeout=count * max(interval, 0.01) + wait + 10)
        found = re.search(r"(\d+) packets transmitted, (\d+) received", result.output)
        if not found:
            raise LabError(f"«{result.command}» failed: {result.output.strip()}")
        return Ping(int(found[1]), int(found[2]), result.command)

    @checked
    def connect(self, target: Host, port: int = 80, wait: float = 0.5) -> Connection:
        """Open a TCP connection to a host, send a few bytes there and have them back.

        Args:
            target: the host, which listens just for this.
            port: its port.
            wait: seconds to wait for each step.
        """
        if not isinstance(target, Host):
            raise LabError(
                f"connect() takes a host such as net.server, not {type(target).__name__}"
            )
        whole("the port of connect()", port, 1, 65_535)
        amount("the wait of connect() in seconds", wait, 0.001, 3600)
        address, words = self._address_of(target), b"are you there?"
        with contextlib.ExitStack() as stack:
            try:
                with target.inside():
                    listener = stack.enter_context(socket.create_server((address, port)))
            except OSError as error:
                why = os.strerror(error.errno or 0)
                raise LabError(
                    f"{target.name} cannot listen on port {port} ({why}); take another"
                ) from None
            with self.inside():
                ours = stack.enter_context(socket.socket())
            listener.settimeout(wait)
            ours.settimeout(wait)
            try:
                ours.connect((address, port))
                theirs = stack.enter_context(listener.accept()[0])
                theirs.settimeout(wait)
                ours.sendall(words)
                theirs.sendall(theirs.recv(100))
                return Connection(ours.recv(100) == words, f"{address}:{port}", "")
            except OSError as error:
                return Connection(False, f"{address}:{port}", str(error))

    def _address_of(self, target: Host | Interface) -> str:
        """The target's IPv4 address nearest to this host: on a shared link, if there is one."""
        if isinstance(target, Host):
            interfaces = list(target.interfaces.values())
        elif isinstance(target, Interface):
            interfaces = [target]
        else:
            raise LabError(f"a {type(target).__name__} is no host and no address")
        theirs = [a for i in interfaces for a in i.addresses if a.version == 4]
        mine = [a for i in self.interfaces.values() for a in i.addresses]
        if not theirs:
            raise LabError(f"{target!r} has no IPv4 address")
        shared = [a for a in theirs if any(a.ip in m.network for m in mine)]
        return str((shared or theirs)[0].ip)

    def __repr__(self) -> str:
        return "\n".join([self.name, *(f"  {i!r}" for i in self.interfaces.values())])


def _written(text: str) -> str:
    """An address as it was written; a name is refused here, since nothing resolves names."""
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(text)
        return text
    hosts = [path.name for path in sandbox.NETNS.iterdir()]
    near = difflib.get_close_matches(text.removeprefix("net.").lower(), hosts, 1)
    if near:
        which = f"such as net.{near[0]}, without quotation marks, or an address"
    elif _is_with_prefix(text):
        which = f"such as net.server, or an address without its prefix: {text.partition('/')[0]!r}"
    else:
        which = 'such as net.server, or an address such as "192.0.2.2"'
    raise LabError(f"ping() takes a host {which}, not {shown(text)}")


def _is_with_prefix(text: str) -> bool:
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return True


@checked
def cpus() -> list[int]:
    """The CPUs that this notebook may use, by number."""
    return sorted(os.sched_getaffinity(0))
