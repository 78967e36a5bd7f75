"""One end of a link, and what it counts.  Sources: veth(4), linux/drivers/net/veth.c."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import re
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pyroute2.ethtool.ioctl import IoctlEthtool

from ..errors import LabError, Nameable, NoSuchEntry
from ..libbpf.links import attached
from ..libbpf.programs import name_of
from .namespace import Namespace

SIOCGIFMTU = 0x8921  # netdevice(7)

# Of a line of /proc/net/dev, after the name: proc_net(5).
COLUMNS = {"rx_packets": 1, "rx_dropped": 3, "tx_packets": 9, "tx_dropped": 11}


def packed_mac(text: str) -> bytes:
    """An Ethernet address such as 02:00:00:00:01:00, as the six bytes that a frame has."""
    return bytes.fromhex(text.replace(":", ""))


class Counters(dict[str, int]):
    """Counters by name; the difference of two readings is what happened in between."""

    def __missing__(self, name: str) -> int:
        raise NoSuchEntry(f"there is no counter {name}; there are: {', '.join(self)}")

    def __sub__(self, earlier: Counters) -> Counters:
        if not isinstance(earlier, Mapping):
            raise LabError(
                "from counters an earlier reading is taken, such as before = net.server.eth0."
                'counters; one of them is a number: counters["xdp_packets"]'
            )
        return Counters({name: value - earlier.get(name, 0) for name, value in self.items()})

    def __repr__(self) -> str:
        rows = [(name, value) for name, value in self.items() if value]
        if not rows:
            return "all counters at 0"
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:{width}}  {value}" for name, value in rows)


class Attached(Protocol):
    """What the lab has put on an interface; programs/attach.py makes it."""

    @property
    def program(self) -> Any:
        """The Program; None for the xdp_pass that helps the other end."""

    @property
    def mode(self) -> str:
        """``"native"`` or ``"generic"``."""

    @property
    def id(self) -> int:
        """The kernel's number for the loaded program."""

    @property
    def wants_helper(self) -> bool:
        """Whether the other end is to run XDP as well."""


class Interface(Nameable):
    """One end of a link.

    Attributes:
        host: the host that it belongs to.
        name: as `ip link` shows it.
        mac: its Ethernet address.
        addresses: its IP addresses with prefix length.
        peer: the interface at the other end of the wire.
    """

    def __init__(self, host: Namespace, name: str, mac: str, addresses: Sequence[str]) -> None:
        self.host, self.name, self.mac = host, name, mac
        self.addresses = tuple(ipaddress.ip_interface(address) for address in addresses)
        self.peer: Interface = self  # until the link is made
        self.attachment: Attached | None = None  # what the lab put here last
        self.programs: set[int] = set()  # ids of all that it ever put here

    @contextlib.contextmanager
    def inside(self) -> Iterator[int]:
        """A context in its host's namespace, which gives the interface's number there.

        Raises:
            LabError: once it is gone.
        """
        with self.host.inside():
            try:
                index = socket.if_nametoindex(self.name)
            except OSError:
                raise LabError(
                    f"{self.host.name} {self.name} is gone; run the cell that makes the network "
                    "again"
                ) from None
            yield index

    @property
    def index(self) -> int:
        """Its number in its host's namespace, as `ip link` shows it."""
        with self.inside() as index:
            return index

    @property
    def mtu(self) -> int:
        """Bytes of the largest packet that it sends, without the Ethernet header."""
        with self.inside(), socket.socket() as any_socket:
            asked = self.name.encode().ljust(32, b"\0")
            told = fcntl.ioctl(any_socket, SIOCGIFMTU, asked)
        return int.from_bytes(told[16:20], sys.byteorder)

    @property
    def packed_mac(self) -> bytes:
        """Its Ethernet address, as a frame has it."""
        return packed_mac(self.mac)

    @property
    def xdp(self) -> tuple[str, str, int] | None:
        """Name, mode and id of the XDP program that the kernel has on this interface."""
        with self.inside() as index:
            found = attached(index)
        if found is None:
            return None
        mode, program = found
        return name_of(program), mode, program

    @property
    def ours(self) -> Attached | None:
        """What the lab attached here, if that is what the kernel runs here now."""
        if self.attachment is None:
            return None
        with self.inside() as index:
            found = attached(index)
        return self.attachment if found and found[1] == self.attachment.id else None

    @property
    def program(self) -> Any:
        """The lab's Program here.

        Raises:
            LabError: when there is none.
        """
        ours = self.ours
        if ours is None or ours.program is None:
            raise LabError(f"{self.host.name} {self.name} runs no program of the lab's")
        return ours.program

    @property
    def is_helper(self) -> bool:
        """Whether the program here is the xdp_pass that only helps the other end of the wire."""
        ours = self.ours
        return ours is not None and ours.program is None

    @property
    def program_name(self) -> str:
        """The name of the XDP program here: ours in full, the kernel's own is cut short."""
        ours = self.ours
        if ours and ours.program:
            return str(ours.program.name)
        return self.xdp[0] if self.xdp else ""

    @property
    def leaves_checksums(self) -> bool:
        """Whether the stack leaves checksums to this interface (TX checksum offload)."""
        with self.inside(), contextlib.closing(IoctlEthtool(self.name)) as ethtool:
            return bool(ethtool.get_offload_flags()["tx-checksumming"])

    @property
    def counters(self) -> Counters:
        """The driver's XDP counters, RX queues summed (`ethtool -S`), and the link's own.

        What veth counts: linux/drivers/net/veth.c.  PASS has no counter of its own; `drops` are
        frames lost in the driver, not by the verdict XDP_DROP.
        """
        with self.inside():
            line = Path("/proc/thread-self/net/dev").read_text().partition(f" {self.name}:")[2]
            with contextlib.closing(IoctlEthtool(self.name)) as ethtool:
                statistics = list(ethtool.get_statistics())
        shown = line.split(maxsplit=12)
        counters = Counters({name: int(shown[column]) for name, column in COLUMNS.items()})
        for name, value in statistics:
            found = re.fullmatch(r"[rt]x_queue_\d+_(xdp_\w+|drops)", name)
            if found and found[1] != "xdp_bytes":
                counters[found[1]] = counters.get(found[1], 0) + value
        return counters

    def __repr__(self) -> str:
        addresses = " ".join(map(str, self.addresses))
        return f"{self.host.name} {self.name} {self.mac} {addresses}"
