"""The data plane as the control plane sees it: maps and a link that are pinned in one folder.

Each change is one write, before which packets know nothing of it.  So whenever this process ends,
even by kill -9, the data plane is as it was before the change, or as it is after it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
import threading
from functools import lru_cache
from hashlib import shake_128
from math import log

import bpf
from settings import Mistake, Service, Settings

ROWS, SERVERS = 16384, 64  # as maps.h has them, and what follows
SERVICE = 8 + 8 * SERVERS + ROWS  # bytes of a `struct service`
GONE, DRAINING, IN_USE = range(3)
KNOWN, COUNT, NOBODY = struct.Struct("=IB6sx"), struct.Struct("=QQ"), bytes(16)
OBJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "balancer.bpf.o")
MAPS = "current", "secret", "counts", "known"
SIOCGIFHWADDR = 0x8927


class Plane:
    """A balancer on one interface.

    Attributes:
        settings: what packets go by.
        known: of each service and server its number, whether it is ill, its MAC address.
        ill: whom probes found so; `apply` tells the packets.
        macs: where servers are, as far as that was found.
        busy: held while these change; metrics are read in a thread of their own.
    """

    def __init__(self, settings: Settings) -> None:
        """Take over what is pinned, or make it; packets go on as they went."""
        self.settings, self.pins = settings, settings.pins
        self._link, self.busy = f"{self.pins}/link", threading.Lock()
        os.makedirs(self.pins, 0o700, exist_ok=True)
        self._lock = os.open(self.pins, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Mistake(f"another balancer.py holds {self.pins}; stop that one first") from None
        try:
            socket.if_nametoindex(settings.interface)
        except OSError:
            raise Mistake(f"there is no interface {settings.interface}; type: ip link") from None
        if not os.path.exists(OBJECT):
            raise Mistake(f"{OBJECT} is not there; type: make -C {os.path.dirname(OBJECT)}")
        program = None if self._attached() else bpf.load(OBJECT, "balance", self.pins)
        self._current, secret, self._counts, self._known = (
            bpf.pinned(f"{self.pins}/{name}") for name in MAPS
        )
        if bpf.get(secret, bytes(4), 16) == bytes(16):
            bpf.put(secret, bytes(4), os.urandom(16))  # before packets come, and never again
        self._told: dict[bytes, bytes] | None = None
        self.known = {key: self._read(key) for key in bpf.keys(self._known, 36)}
        self.ill = {key for key, (_, ill, _) in self.known.items() if ill}
        self.macs = {key: mac for key, (_, _, mac) in self.known.items() if any(mac)}
        self._to_attach = program

    def _read(self, key: bytes) -> tuple[int, int, bytes]:
        number, ill, mac = KNOWN.unpack(bpf.get(self._known, key, KNOWN.size) or bytes(KNOWN.size))
        return number, ill, mac

    def _attached(self) -> bool:
        """Whether the link is there and on this interface; one that is elsewhere goes."""
        if not os.path.exists(self._link):
            return False
        link = bpf.pinned(self._link)
        try:
            if bpf.interface_of(link) == socket.if_nametoindex(self.settings.interface):
                return True
            bpf.detach(link)
            os.unlink(self._link)
            return False
        finally:
            os.close(link)

    def attach(self) -> None:
        """Let packets come, once there is something to decide them by."""
        if self._to_attach is not None:
            index = socket.if_nametoindex(self.settings.interface)
            try:
                bpf.attach(self._to_attach, index, self._link)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                name = self.settings.interface
                raise Mistake(
                    f"{name} has an XDP program already; if nobody needs it, type: "
                    f"ip link set {name} xdp off"
                ) from None
            os.close(self._to_attach)
            self._to_attach = None

    def apply(self, settings: Settings) -> None:
        """From now on packets go as this says, and as `ill` and `macs` do."""
        with self.busy:
            self._apply(settings)

    def _apply(self, settings: Settings) -> None:
        kept = set()
        for service in settings.services:
            for server in (NOBODY, *(one.packed for one in service.servers)):
                kept.add(service.key + server)
                self._learn(service.key + server)
        told = {one.key: self._packed(one, settings) for one in settings.services}
        if told != self._told:
            inner = bpf.make_hash("services", 20, SERVICE, max(1, len(told)))
            try:
                for key, value in told.items():
                    bpf.put(inner, key, value)
                # This write is the change.  It returns when no packet is with the old map any more.
                bpf.put(self._current, bytes(4), struct.pack("=i", inner))
            finally:
                os.close(inner)
        self._told, self.settings = told, settings
        for key in self.known.keys() - kept:  # only now are their numbers free
            bpf.remove(self._known, key)
            del self.known[key]
            self.ill.discard(key)
            self.macs.pop(key, None)

    def _learn(self, key: bytes) -> None:
        """Have a number for a service or a server that nobody else has, and write all down."""
        number, before = self.known.get(key, (0,))[0], self.known.get(key)
        if before is None:
            is_server = key[20:] != NOBODY
            alike = {
                number
                for other, (number, *_) in self.known.items()
                if (other[20:] != NOBODY) == is_server and (not is_server or other[:20] == key[:20])
            }
            number = min(set(range(1, SERVERS)) - alike, default=0)
            if not number:
                raise Mistake("all places are taken; take some servers out first, then add others")
            service = self.known[key[:20] + NOBODY][0] if is_server else number
            where = service * SERVERS + number * is_server
            bpf.put(self._counts, struct.pack("=I", where), bytes(COUNT.size * possible_cpus()))
        now = number, int(key in self.ill), self.macs.get(key, bytes(6))
        if now != before:
            bpf.put(self._known, key, KNOWN.pack(*now))
            self.known[key] = now

    def states(self, service: Service, settings: Settings) -> dict[str, int]:
        """What each server of a service is, by its address: GONE, DRAINING or IN_USE."""
        keys = {one.address: service.key + one.packed for one in service.servers}
        there = [one for one in service.servers if any(self.known[keys[one.address]][2])]
        used = [one.address for one in there if one.weight]
        well = [address for address in used if keys[address] not in self.ill]
        if not well or len(well) < settings.panic * len(used):
            well = used  # so many can hardly be ill, but the probe can be wrong
        drains = [
            one.address for one in there if not one.weight and keys[one.address] not in self.ill
        ]
        states = dict.fromkeys(keys, GONE) | dict.fromkeys(drains, DRAINING)
        return states | dict.fromkeys(well, IN_USE)

    def _packed(self, service: Service, settings: Settings) -> bytes:
        """A `struct service`."""
        states = self.states(service, settings)
        servers, owners = bytearray(8 * SERVERS), []
        for one in service.servers:
            place, _, mac = self.known[service.key + one.packed]
            struct.pack_into("=6sB", servers, 8 * place, mac, states[one.address])
            if states[one.address] == IN_USE:
                owners.append((place, one.packed, one.weight))
        number = self.known[service.key + NOBODY][0]
        head = struct.pack("=6sH", own_mac(settings.interface), number)
        return head + servers + rows(tuple(sorted(owners)))

    def count(self, service: Service | None, server: bytes = NOBODY) -> tuple[int, int]:
        """Packets and bytes for a server; for nobody; for no service at all."""
        which = 0
        if service:
            which = self.known[service.key + NOBODY][0] * SERVERS
        if service and server != NOBODY:
            which += self.known[service.key + server][0]
        raw = bpf.get(self._counts, struct.pack("=I", which), COUNT.size * possible_cpus())
        packets, sizes = zip(*COUNT.iter_unpack(raw or bytes(COUNT.size)), strict=True)
        return sum(packets), sum(sizes)


def upgrade(pins: str) -> None:
    """Put the program that lies in the folder in the place of the one that runs."""
    if not os.path.exists(f"{pins}/link"):
        raise Mistake(f"no program is pinned in {pins}; start balancer.py first")
    try:
        program = bpf.load(OBJECT, "balance", pins)
    except OSError as error:
        raise Mistake(
            f"{OBJECT} was not taken ({error.strerror}), the old program runs on; "
            "if maps.h has changed, type: balancer.py down, then start it anew"
        ) from None
    link = bpf.pinned(f"{pins}/link")
    bpf.exchange(link, program)
    os.close(link)
    os.close(program)


def down(pins: str) -> None:
    """Take all off: the program first, then what it was decided by."""
    if not os.path.isdir(pins):
        raise Mistake(f"there is nothing in {pins}")
    lock = os.open(pins, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Mistake(f"a balancer.py still holds {pins}; stop it first") from None
    if os.path.exists(f"{pins}/link"):
        bpf.detach(bpf.pinned(f"{pins}/link"))
    for name in sorted(os.listdir(pins), key=lambda name: name != "link"):
        os.unlink(f"{pins}/{name}")
    with contextlib.suppress(PermissionError):  # the folder above may be root's
        os.rmdir(pins)


@lru_cache(maxsize=256)
def _draws(server: bytes) -> list[float]:
    """A lot for each row, from the server's address alone: balancers with one file agree."""
    lots = memoryview(shake_128(server).digest(4 * ROWS)).cast("I")
    return [log((lot + 0.5) / 2**32) for lot in lots]


@lru_cache(maxsize=256)
def rows(owners: tuple[tuple[int, bytes, float], ...]) -> bytes:
    """The place of each row's owner, by weighted rendezvous; 0 where there is nobody.

    A row changes hands only to a server whose weight grew, or from one whose weight fell.
    """
    if not owners:
        return bytes(ROWS)
    places = [place for place, *_ in owners]
    scores = [[lot / weight for lot in _draws(server)] for _, server, weight in owners]
    return bytes(max(zip(row, places, strict=True))[1] for row in zip(*scores, strict=True))


def own_mac(interface: str) -> bytes:
    """An interface's MAC address; netdevice(7)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        return fcntl.ioctl(one, SIOCGIFHWADDR, struct.pack("16s24x", interface.encode()))[18:24]


@lru_cache
def possible_cpus() -> int:
    """How many CPUs the kernel keeps a copy of a count for."""
    with open("/sys/devices/system/cpu/possible") as file:
        return int(file.read().replace(",", "-").split("-")[-1]) + 1
