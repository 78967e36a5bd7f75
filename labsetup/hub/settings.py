"""What a teacher may set from outside, by variables of the hub's container; what is fixed."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import LabError

READER = "xdp-lab-reader"  # before a reader's name: their container, their network, their volume
MINE = "/xdp-lab/my-lab"  # where the image keeps what is a reader's
KEEPS = Path("/srv/hub")  # where the hub's own volume is
HUB_PORT, ROOM_PORT = 8081, 9000  # within the hub's container
# A name is a part of addresses, of volumes' names and of shells' lines: nothing to be escaped.
NAME = r"[a-z][a-z0-9]{0,31}"
_BYTES = re.compile(r"[1-9][0-9]*[KMGT]")


@dataclass(frozen=True)
class Settings:
    """They are read once, when the hub starts.

    Attributes:
        teacher: who sees the room's page, and may stop anybody's server.
        image: what readers' containers are made of.
        memory: the most that one reader's container may have, such as ``"2G"``.
        cpus: how many CPUs' time it may take.
        pool: the addresses of readers' networks, eight for each.
        certificate, key: files for https; empty for http.
    """

    teacher: str
    image: str
    memory: str
    cpus: float
    pool: ipaddress.IPv4Network
    certificate: str
    key: str


def settings(environ: Mapping[str, str]) -> Settings:
    """Read them.

    Raises:
        LabError: naming the variable that is not as it should be.
    """
    teacher = environ.get("XDP_LAB_TEACHER", "teacher")
    if not re.fullmatch(NAME, teacher):
        raise _wrong("XDP_LAB_TEACHER", teacher, "small letters and digits, such as teacher")
    memory = environ.get("XDP_LAB_MEMORY", "2G")
    if not _BYTES.fullmatch(memory):
        raise _wrong("XDP_LAB_MEMORY", memory, "a number with K, M, G or T, such as 2G")
    cpus = environ.get("XDP_LAB_CPUS", "2")
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", cpus) or not 0.1 <= float(cpus) <= 1024:
        raise _wrong("XDP_LAB_CPUS", cpus, "a number from 0.1 on, such as 2")
    pool = environ.get("XDP_LAB_POOL", "10.213.0.0/16")
    try:
        network = ipaddress.IPv4Network(pool)
    except ValueError:
        network = ipaddress.IPv4Network("0.0.0.0/32")
    if not 8 <= network.prefixlen <= 29:
        raise _wrong("XDP_LAB_POOL", pool, "a private network such as 10.213.0.0/16")
    certificate, key = environ.get("XDP_LAB_CERT", ""), environ.get("XDP_LAB_KEY", "")
    if bool(certificate) != bool(key):
        raise LabError("https needs both files: give XDP_LAB_CERT and XDP_LAB_KEY, or neither")
    image = environ.get("XDP_LAB_IMAGE", "localhost/xdp-lab")
    return Settings(teacher, image, memory, float(cpus), network, certificate, key)


def _wrong(variable: str, value: str, form: str) -> LabError:
    return LabError(f"{variable} is {value!r}; give {form}")
