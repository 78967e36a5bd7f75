"""What the load balancers of bpf/ must make of a frame: a second opinion, from RFCs and papers."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

import numpy as np

from labsetup import Program

from .models import PASS, TX, datagram

VIP, VIP6 = "198.51.100.10", "2001:db8:100::10"
MAC = "02:00:00:00:02:00"  # where packets.frame() sends what names no receiver
KEY = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
NAMES = [f"s{number}" for number in range(1, 11)]
PLACES = 7  # that modulo and rendezvous choose from
EMPTY = 3  # a place among them that nobody is in
# Servers; then a place that is empty, two behind the last server, one too far, and none.
_OWNERS = (*(0, 1, 2, 4, 5, 6, 8, 9) * 3, EMPTY, 900, 1023, 1024, 0xFFFF)
ROWS = [_OWNERS[row * 40503 % 65521 % len(_OWNERS)] for row in range(65536)]
NEW_ROWS = [ROWS[row] if row % 3 else ROWS[row - 1] for row in range(65536)]

_VIPS = {ip_address(VIP).packed, ip_address(VIP6).packed}
_OWN = bytes.fromhex(MAC.replace(":", ""))
_64 = 2**64 - 1
NO_PORT = b"\0\0"


def fill(program: Program) -> None:
    """Write into a balancer's maps what the models assume."""
    vip, vip6 = (ip_address(address).packed for address in (VIP, VIP6))
    number = EMPTY if program.name == "lb_random" else PLACES  # chance never meets the empty one
    own = {"key": {"word": list(KEY)}, "vip": vip, "vip6": vip6, "servers": number, "mac": _OWN}
    program["settings"][0] = own
    fill_servers(program)
    if "tables" in program.maps:
        program["tables"][0] = np.array(ROWS, "<u2")
        program["tables"][1] = np.array(NEW_ROWS, "<u2")


def fill_servers(program: Program) -> None:
    """Put every server into its place."""
    for place, name in enumerate(NAMES):
        program["servers"][place] = {"seed": seed(name), "mac": mac_of(place)}


class Flow(NamedTuple):
    """Who speaks to whom."""

    source: bytes
    target: bytes
    source_port: bytes
    target_port: bytes
    kind: int


def mac_of(place: int) -> bytes:
    """The MAC address of the server in a place, zeros where there is none."""
    known = place < len(NAMES) and place != EMPTY
    return b"\x02\0\0\0\x0e" + bytes([place + 1]) if known else bytes(6)


def flow_of(frame: bytes) -> Flow | None:
    """The flow of a frame that is for the balancer and its VIP; None for another frame."""
    ip = datagram(frame)
    if ip is None or frame[:6] != _OWN or ip.target not in _VIPS:
        return None
    if ip.payload is not None and not ip.partial:
        four = len(ip.target) == 4
        types = (3, 11, 12) if four else (1, 2, 3, 4)
        if ip.kind == (1 if four else 58) and ip.payload[:1] and ip.payload[0] in types:
            sent = (_sent4 if four else _sent6)(ip.payload[8:])
            if sent is not None and sent.source == ip.target:
                return Flow(sent.target, sent.source, sent.target_port, sent.source_port, sent.kind)
    return Flow(ip.source, ip.target, *_ports(ip.kind, ip.partial, ip.payload or b""), ip.kind)


def _ports(kind: int, partial: bool, payload: bytes) -> tuple[bytes, bytes]:
    if kind not in (6, 17) or partial or len(payload) < 4:
        return NO_PORT, NO_PORT
    return payload[:2], payload[2:4]


def _sent4(quote: bytes) -> Flow | None:  # RFC 792: the header, and at least 8 bytes behind it
    size = quote[0] % 16 * 4 if len(quote) >= 20 else 0
    if len(quote) < 20 or quote[0] >> 4 != 4 or not 20 <= size <= len(quote):
        return None
    partial = int.from_bytes(quote[6:8]) & 0x3FFF != 0
    return Flow(quote[12:16], quote[16:20], *_ports(quote[9], partial, quote[size:]), quote[9])


def _sent6(quote: bytes) -> Flow | None:  # RFC 4443, 3.1: as much as fits
    if len(quote) < 40 or quote[0] >> 4 != 6 or quote[6] in (0, 43, 44, 51, 60):
        return None
    return Flow(quote[8:24], quote[24:40], *_ports(quote[6], False, quote[40:]), quote[6])


def words(flow: Flow) -> list[int]:
    """The 40 bytes that are hashed, eight at a time."""
    mapped = [(bytes(10) + b"\xff\xff" + x)[-16:] for x in (flow.source, flow.target)]
    data = b"".join([*mapped, flow.source_port, flow.target_port, flow.kind.to_bytes(4, "little")])
    return [int.from_bytes(data[at : at + 8], "little") for at in range(0, 40, 8)]


@lru_cache(1 << 19)
def siphash(flow: Flow) -> int:
    """SipHash-1-3 as in the paper, section 2: four words, c = 1 and d = 3 rounds."""
    letters = b"somepseudorandomlygeneratedbytes"
    v = [int.from_bytes(letters[at : at + 8]) ^ KEY[at // 8 % 2] for at in range(0, 32, 8)]

    def rounds(number: int) -> None:
        for _ in range(number):
            for i, j, turn in ((0, 1, 13), (2, 3, 16), (0, 3, 21), (2, 1, 17)):
                v[i] = (v[i] + v[j]) & _64
                v[j] = (v[j] << turn & _64 | v[j] >> 64 - turn) ^ v[i]
                if turn in (13, 17):
                    v[i] = v[i] << 32 & _64 | v[i] >> 32

    for word in [*words(flow), 40 << 56]:
        v[3] ^= word
        rounds(1)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(3)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def stirred(x: int) -> int:
    """MurmurHash3's fmix64."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        x = (x ^ x >> 33) * factor & _64
    return x ^ x >> 33


@lru_cache
def seed(name: str) -> int:
    """A server's number: its name stirred in, letter by letter."""
    number = 0
    for letter in name.encode():
        number = stirred(number ^ (letter + 1))
    return number


@lru_cache(1 << 19)
def highest(number: int) -> int:
    """Thaler and Ravishankar: the place whose score is highest."""
    return max(range(PLACES), key=lambda place: stirred(number ^ seed(NAMES[place])))


def sent(frame: bytes, place: int) -> tuple[str, bytes]:
    """A frame on its way to a server, or to the stack where there is none."""
    mac = mac_of(place)
    return (TX, mac + _OWN + frame[12:]) if any(mac) else (PASS, frame)


def lb_modulo(frame: bytes) -> tuple[str, bytes]:
    flow = flow_of(frame)
    return (PASS, frame) if flow is None else sent(frame, siphash(flow) % PLACES)


def lb_xor(frame: bytes) -> tuple[str, bytes]:
    flow = flow_of(frame)
    if flow is None:
        return PASS, frame
    all_of_it = 0
    for word in words(flow):
        for bits in (0, 16, 32, 48):
            all_of_it ^= word >> bits & 0xFFFF
    return sent(frame, all_of_it % PLACES)


def lb_rendezvous(frame: bytes) -> tuple[str, bytes]:
    flow = flow_of(frame)
    return (PASS, frame) if flow is None else sent(frame, highest(siphash(flow)))


def lb_table(frame: bytes) -> tuple[str, bytes]:
    flow = flow_of(frame)
    return (PASS, frame) if flow is None else sent(frame, ROWS[siphash(flow) % 65536])


class Memory:
    """lb_memory: the table for what is new or not TCP, and for a connection what it was once."""

    def __init__(self) -> None:
        self.rows, self.gone = ROWS, -1  # the table in use; a server that is away
        self.known: dict[Flow, int] = {}

    def __call__(self, frame: bytes) -> tuple[str, bytes]:
        flow = flow_of(frame)
        if flow is None:
            return PASS, frame
        flags = self._tcp_flags(frame)
        begins = "S" in flags and "A" not in flags
        place = self.known.get(flow, self.gone)
        if begins or place == self.gone:
            place = self.owner(flow)
            if place == self.gone or not any(mac_of(place)):
                return PASS, frame
            if flags:
                self.known[flow] = place
        return sent(frame, place)

    def owner(self, flow: Flow) -> int:
        return self.rows[siphash(flow) % 65536]

    @staticmethod
    def _tcp_flags(frame: bytes) -> str:  # RFC 9293, 3.1
        ip = datagram(frame)
        if ip is None or ip.kind != 6 or ip.partial or ip.payload is None or len(ip.payload) < 20:
            return ""
        return "".join(x for bit, x in enumerate("FSRPAUEC") if ip.payload[13] >> bit & 1)


MODELS = {model.__name__: model for model in (lb_modulo, lb_xor, lb_rendezvous, lb_table)}
