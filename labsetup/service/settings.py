"""balancer.toml: what it may say, and one sentence for what it may not."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

PROTOCOLS = {"tcp": 6, "udp": 17}
KINDS = {int: "a whole number", float: "a number", str: "a text", list: "a list", dict: "a table"}
MOST = 63  # services; and servers of one, as maps.h has room for
DEFAULTS: dict[str, tuple[Any, float, float]] = {  # and from where to where a number may go
    "interval": (1.0, 0.05, 3600),
    "threshold": (3, 1, 1000),
    "panic": (0.5, 0, 1),
}


class Mistake(Exception):
    """What the reader can mend, in one sentence."""


@dataclass(frozen=True)
class Server:
    """A server of a service."""

    name: str
    address: str
    weight: float
    mac: bytes | None  # None: the kernel's neighbour table knows it
    mark: int  # 0: probes go to its own address; else to the VIP, by a route for this mark

    @property
    def packed(self) -> bytes:
        """Its address as 16 bytes: what it is known by."""
        return mapped(self.address)


@dataclass(frozen=True)
class Service:
    """A VIP, a port and a protocol, and who answers there."""

    vip: str
    port: int
    protocol: str
    probe: tuple[str, int, str]  # none, tcp or http; port; path
    servers: tuple[Server, ...]

    @property
    def name(self) -> str:
        """As metrics and messages have it."""
        vip = f"[{self.vip}]" if ":" in self.vip else self.vip
        return f"{vip}:{self.port}/{self.protocol}"

    @property
    def key(self) -> bytes:
        """Its `struct vip`."""
        kind = PROTOCOLS[self.protocol].to_bytes(2, "little")
        return mapped(self.vip) + self.port.to_bytes(2, "big") + kind


@dataclass(frozen=True)
class Settings:
    """The whole file."""

    interface: str
    pins: str
    metrics: str
    interval: float
    threshold: int
    panic: float
    services: tuple[Service, ...]


def mapped(address: str) -> bytes:
    """An address as 16 bytes, IPv4 as ::ffff:a.b.c.d."""
    packed = ip_address(address).packed
    return packed if len(packed) == 16 else bytes(10) + b"\xff\xff" + packed


class _Table:
    """A table of the file, from which each key is taken once."""

    def __init__(self, where: str, table: Any) -> None:
        if not isinstance(table, dict):
            raise Mistake(f"{where} is a table, and not {table!r}")
        self.where, self._left = where, dict(table)

    def take(
        self, key: str, kind: type, default: Any = None, low: float = 0, high: float = 0
    ) -> Any:
        """A value; without a default it must be there."""
        value = self._left.pop(key, default)
        if value is None:
            raise Mistake(f"{self.where} has no {key}; add {key} = …")
        right = isinstance(value, int | float if kind is float else kind)
        if not right or isinstance(value, bool):
            raise Mistake(f"{key} in {self.where} is {KINDS[kind]}, and not {value!r}")
        if high and not low <= value <= high:
            raise Mistake(f"{key} in {self.where} is from {low:g} to {high:g}, and not {value!r}")
        return value

    def address(self, key: str) -> str:
        """An address, which must be there."""
        value = self.take(key, str)
        try:
            found = ip_address(value)
        except ValueError:
            raise Mistake(f"{key} in {self.where} is an IP address, and not {value!r}") from None
        if found.is_multicast or found.is_unspecified or found.is_loopback:
            raise Mistake(
                f"{key} in {self.where} is an address that packets come to: not {value!r}"
            )
        return str(found)

    def end(self) -> None:
        """Nothing may be left."""
        if self._left:
            raise Mistake(f"{self.where} has {next(iter(self._left))!r}, which means nothing here")


def read(path: str) -> Settings:
    """Read and check the file.

    Raises:
        Mistake: with the key that is wrong.
    """
    try:
        with open(path, "rb") as file:
            whole = _Table(path, tomllib.load(file))
    except OSError as error:
        raise Mistake(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Mistake(f"{path} is no TOML: {error}") from None
    listed = whole.take("service", list)
    services = tuple(_service(f"service {n} of {path}", one) for n, one in enumerate(listed, 1))
    numbers = {key: whole.take(key, type(d), d, *limits) for key, (d, *limits) in DEFAULTS.items()}
    settings = Settings(
        interface=whole.take("interface", str),
        pins=whole.take("pins", str, "/sys/fs/bpf/xdp-balancer").rstrip("/"),
        metrics=whole.take("metrics", str, "127.0.0.1:9435"),
        services=services,
        **numbers,
    )
    whole.end()
    if len({one.key for one in services}) < len(services) or len(services) > MOST:
        raise Mistake(f"{path} names at most {MOST} services, each once")
    if not re.fullmatch(r".+:\d{1,5}", settings.metrics):
        raise Mistake(f"metrics in {path} is ADDRESS:PORT, and not {settings.metrics!r}")
    return settings


def _service(where: str, given: Any) -> Service:
    table = _Table(where, given)
    vip, port = table.address("vip"), table.take("port", int, None, 1, 65535)
    protocol = table.take("protocol", str, "tcp")
    if protocol not in PROTOCOLS:
        raise Mistake(f'protocol in {where} is "tcp" or "udp", and not {protocol!r}')
    probe = table.take("probe", str, f"tcp:{port}" if protocol == "tcp" else "none")
    words = re.fullmatch(r"(none)()()|(tcp):(\d{1,5})()|(http):(\d{1,5})(/\S*)", probe)
    if not words:
        raise Mistake(f'probe in {where} is as "tcp:80", "http:80/path" or "none": not {probe!r}')
    kind, number, path = (word for word in words.groups() if word is not None)
    named = table.take("servers", dict)
    servers = tuple(_server(f"server {name} of {where}", name, one) for name, one in named.items())
    table.end()
    if len({one.packed for one in servers}) < len(servers) or len(servers) > MOST:
        raise Mistake(f"{where} has at most {MOST} servers, each with an address of its own")
    return Service(vip, port, protocol, (kind, int(number or 0), path), servers)


def _server(where: str, name: str, given: Any) -> Server:
    table = _Table(where, given)
    address, mac = table.address("address"), table.take("mac", str, "")
    if mac and not re.fullmatch(r"([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}", mac):
        raise Mistake(f"mac in {where} is as 02:00:00:00:00:01, and not {mac!r}")
    if ":" in address and not mac:
        raise Mistake(f"{where} has an IPv6 address, so add mac = …")
    weight = float(table.take("weight", float, 1.0, 0, 1e6))
    mark = table.take("mark", int, 0, 0, 2**32 - 1)
    table.end()
    return Server(name, address, weight, bytes.fromhex(mac.replace(":", "")) or None, mark)
