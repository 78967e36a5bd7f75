"""What servers that share a VIP must make of a frame: a second opinion on bpf/to_owner.c,
bpf/second_chance.c and bpf/neighbours.c.

The kernel's lookup of sockets is modelled as sets of five-tuples, by what their sockets are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address

import numpy as np

from labsetup import Program

from .models import PASS, TX, datagram
from .models_balance import KEY, MAC, NO_PORT, VIP, VIP6, Flow, flow_of, siphash

HERE = 4  # the place of the server that runs the program
DEAD = 3  # a place whose server is dead
# Servers; then a place that nobody is in, one behind the last place, and the sign for none.
# They are strewn over the rows so that the VIP's packets in test_programs.py are for others.
_OWNERS = (*(0, 1, 2, HERE) * 4, 5, 6, DEAD, 7, HERE, HERE, HERE, 1023, 1024, 0xFFFF)
NOW = [_OWNERS[row * 40585 % 65521 % len(_OWNERS)] for row in range(65536)]
BEFORE = [_OWNERS[row * 30011 % 65519 % len(_OWNERS)] for row in range(65536)]

_OWN = bytes.fromhex(MAC.replace(":", ""))


@dataclass
class Sockets:
    """What the stack of the host has, each by the five-tuple of packets that come in for it."""

    connections: set[Flow] = field(default_factory=set)  # half-open, open, closing
    over: set[Flow] = field(default_factory=set)  # in TIME_WAIT
    # Of each listening socket that gave cookies of late: by flow, what the client's
    # acknowledgement is ahead of its sequence number, then.
    cookies: dict[Flow, set[int]] = field(default_factory=dict)


def fill(program: Program) -> None:
    """Write into a program's maps what the models assume."""
    vip, vip6 = (ip_address(address).packed for address in (VIP, VIP6))
    own = {"key": {"word": list(KEY)}, "vip": vip, "vip6": vip6, "servers": 0, "mac": _OWN}
    program["settings"][0] = own
    for place in range(8):
        program["servers"][place] = {"seed": 0, "mac": mac_of(place)}
    if "tables" not in program.maps:
        return
    wrong, right = (np.array(table, "<u2") for table in (BEFORE, NOW))
    if program.name == "second_chance":
        wrong, right = (np.stack(pair, axis=1) for pair in ((wrong, right), (right, wrong)))
    program["tables"][0], program["tables"][1] = wrong, right  # only one is in use
    program["active"][0] = 1


def mac_of(place: int) -> bytes:
    """The MAC address of the server in a place, zeros where there is none."""
    if place == HERE:
        return _OWN
    return b"\x02\0\0\0\x0f" + bytes([place]) if place < 8 and place != DEAD else bytes(6)


def hops(frame: bytes) -> int:
    """How often a frame has been handed on: 06:01:... once, 06:02:... twice."""
    return {b"\6\1": 1, b"\6\2": 2}.get(frame[6:8], 0)


def _on(frame: bytes, place: int, times: int) -> tuple[str, bytes]:
    mac = mac_of(place)
    if place == HERE or not any(mac):
        return PASS, frame
    return TX, mac + b"\6" + bytes([times]) + _OWN[2:] + frame[12:]


def to_owner(frame: bytes, sockets: Sockets) -> tuple[str, bytes]:
    flow = flow_of(frame)
    if flow is None or hops(frame):
        return PASS, frame
    return _on(frame, NOW[siphash(flow) % 65536], 1)


def second_chance(frame: bytes, sockets: Sockets) -> tuple[str, bytes]:
    flow, so_far = flow_of(frame), hops(frame)
    if flow is None or so_far == 2:
        return PASS, frame
    row = siphash(flow) % 65536
    if not _of_a_connection(frame, flow):
        return _on(frame, NOW[row], so_far + 1)
    if flow in sockets.connections:
        return PASS, frame
    elsewhere = NOW[row] != HERE and any(mac_of(NOW[row]))
    if elsewhere:
        return _on(frame, NOW[row], so_far + 1)
    if flow in sockets.over or _brings_a_cookie(frame, flow, sockets):
        return PASS, frame
    return _on(frame, BEFORE[row], 2)


def made_up(before: int, now: int) -> bytes:
    """The MAC address that a router has for a row."""
    return b"\x0a\0" + before.to_bytes(2) + now.to_bytes(2)


def neighbours(frame: bytes, sockets: Sockets) -> tuple[str, bytes]:
    """The router has named the server before and this one in the address that the frame is for."""
    mine = _OWN + frame[6:]
    flow, before = flow_of(mine), int.from_bytes(frame[2:4])
    if flow is None or frame[:6] != made_up(before, HERE):
        return PASS, frame
    known = flow in sockets.connections | sockets.over or _brings_a_cookie(frame, flow, sockets)
    if known or not _of_a_connection(frame, flow):
        return PASS, mine
    ip = datagram(frame)
    if ip is not None and ip.kind != 6:  # an error that quotes TCP: the router had no port of it
        return TX, b"\xff" * 6 + b"\6\1" + _OWN[2:] + frame[12:]
    return _on(mine, before, 1)


def _of_a_connection(frame: bytes, flow: Flow) -> bool:
    return flow.kind == 6 and flow.source_port != NO_PORT and _segment(frame) != "opens"


def _segment(frame: bytes) -> str | bytes:
    """A whole TCP header; "opens" if it is the first of a connection; nothing for other packets."""
    ip = datagram(frame)
    if ip is None or ip.kind != 6 or ip.partial or ip.payload is None or len(ip.payload) < 20:
        return b""
    return "opens" if ip.payload[13] & 0x12 == 0x02 else ip.payload[:20]  # SYN, but not ACK


def _brings_a_cookie(frame: bytes, flow: Flow, sockets: Sockets) -> bool:
    tcp = _segment(frame)
    if not isinstance(tcp, bytes) or not tcp or flow not in sockets.cookies:
        return False
    ahead = int.from_bytes(tcp[8:12]) - int.from_bytes(tcp[4:8])
    # ACK, neither RST nor SYN: the last packet of a handshake, or data right behind it.
    return tcp[13] & 0x16 == 0x10 and ahead % 2**32 in sockets.cookies[flow]


MODELS = {model.__name__: model for model in (to_owner, second_chance, neighbours)}
