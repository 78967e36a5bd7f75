"""What the programs of bpf/ must make of a frame: a second opinion, from the RFCs.

Each model takes a frame and gives the verdict and the frame as it must be afterwards. Checksums are
added up anew over everything that they cover.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

PASS, DROP, TX, REDIRECT = "XDP_PASS", "XDP_DROP", "XDP_TX", "XDP_REDIRECT"

# What the maps hold while the models are right.
BLOCKED = {
    (b"blocked", b"example"),
    (b"zebra", b"example"),
    (b"`{", b"example"),  # not what @ and [ are in upper case, though the ASCII table looks so
    (b"a" * 40, b"b" * 21),  # 63 bytes with their lengths: the longest that fits
    (b"a" * 40, b"b" * 22),  # too long, so never found
}
NEXT_HOPS = {
    "198.51.100.1": (0, "02:00:00:00:0a:01", "02:00:00:00:0a:02"),
    "203.0.113.255": (1, "02:00:00:00:0b:01", "02:00:00:00:0b:02"),
    "203.0.113.9": (9, "02:00:00:00:0c:01", "02:00:00:00:0c:02"),  # no interface there
    "203.0.113.64": (64, "02:00:00:00:0c:01", "02:00:00:00:0c:02"),  # nor such a place
    "169.254.7.7": (0, "02:00:00:00:0a:01", "02:00:00:00:0a:02"),  # never forwarded, nor the next
    "224.0.0.9": (0, "02:00:00:00:0a:01", "02:00:00:00:0a:02"),
    "2001:db8:5::1": (0, "02:00:00:00:0a:01", "02:00:00:00:0a:02"),
    "2001:db8:6::ff": (1, "02:00:00:00:0b:01", "02:00:00:00:0b:02"),
    "2001:db8:6::9": (9, "02:00:00:00:0c:01", "02:00:00:00:0c:02"),
    "fe80::7": (0, "02:00:00:00:0a:01", "02:00:00:00:0a:02"),
    "ff0e::9": (0, "02:00:00:00:0a:01", "02:00:00:00:0a:02"),
}
PORTS = (0, 1)  # the places that have an interface

_HOPS = {
    ip_address(address).packed: bytes.fromhex((to + frm).replace(":", ""))
    for address, (port, to, frm) in NEXT_HOPS.items()
    if port in PORTS
}
_NO_HOST = [
    ip_network(net)
    for net in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/64", "ff00::/8")
]
_ONE_LINK = [ip_network("169.254.0.0/16"), ip_network("fe80::/10")]


class Datagram(NamedTuple):
    """An IP packet within a frame."""

    start: int  # where it begins in the frame
    tags: int
    header: bytes  # IPv4's with options, IPv6's without extensions
    source: bytes
    target: bytes
    hops: int
    extras: bool  # options or extension headers
    partial: bool  # a fragment, first or later
    kind: int  # IANA's protocol number
    payload: bytes | None  # None in a later fragment, and where headers cannot be followed


def datagram(frame: bytes) -> Datagram | None:
    """The IP packet in a frame, behind at most two VLAN tags; None if there is no sound one."""
    at = 12
    while frame[at : at + 2] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    if at > 20:
        return None
    ethertype, packet = frame[at : at + 2], frame[at + 2 :]
    if ethertype == b"\x08\x00":
        return _ipv4(packet, at)
    if ethertype == b"\x86\xdd":
        return _ipv6(packet, at)
    return None


def _ipv4(packet: bytes, at: int) -> Datagram | None:  # RFC 791
    if len(packet) < 20:
        return None
    version, words = divmod(packet[0], 16)
    total = packet[2] * 256 + packet[3]
    if version != 4 or words < 5 or not words * 4 <= total <= len(packet):
        return None
    more, offset = packet[6] & 0x20, packet[6] % 32 * 256 + packet[7]
    payload = None if offset else packet[words * 4 : total]
    return Datagram(
        start=at + 2,
        tags=(at - 12) // 4,
        header=packet[: words * 4],
        source=packet[12:16],
        target=packet[16:20],
        hops=packet[8],
        extras=words > 5,
        partial=bool(more or offset),
        kind=packet[9],
        payload=payload,
    )


def _ipv6(packet: bytes, at: int) -> Datagram | None:  # RFC 8200, section 4; RFC 4302 for AH
    if len(packet) < 40 or packet[0] >> 4 != 6:
        return None
    size = packet[4] * 256 + packet[5]
    if len(packet) < 40 + size:
        return None
    kind, rest, seen, partial = packet[6], packet[40 : 40 + size], 0, False
    payload: bytes | None = rest
    while kind in (0, 43, 44, 51, 60):
        seen += 1
        long = {44: 8, 51: rest[1] * 4 + 8}.get(kind, rest[1] * 8 + 8) if len(rest) >= 8 else 8
        if long > len(rest):
            payload = None
            break
        offset = 0
        if kind == 44:
            offset, flags = divmod(rest[2] * 256 + rest[3], 8)
            partial = partial or offset > 0 or flags & 1 == 1
        kind, rest = rest[0], rest[long:]
        payload = rest
        if offset or seen > 6:
            payload = None
            break
    return Datagram(
        start=at + 2,
        tags=(at - 12) // 4,
        header=packet[:40],
        source=packet[8:24],
        target=packet[24:40],
        hops=packet[7],
        extras=seen > 0,
        partial=partial,
        kind=kind,
        payload=payload,
    )


def ones(data: bytes) -> int:
    """The ones' complement sum of 16-bit words, RFC 1071: the remainder by 65535."""
    return int.from_bytes(data + b"\0" * (len(data) % 2)) % 0xFFFF


def summed(old: bytes, new: bytes, at: int) -> bytes:
    """`new` with such a checksum at `at` that it adds up to what `old` does.

    That is 0 when the old checksum was right; a wrong one must stay as wrong. Of the two ways to
    write 0 this takes 0x0000, which is right unless all that is summed is 0.
    """
    blank = new[:at] + b"\0\0" + new[at + 2 :]
    return new[:at] + ((ones(old) - ones(blank)) % 0xFFFF).to_bytes(2) + new[at + 2 :]


@lru_cache(1 << 16)
def _within(address: bytes, which: str) -> bool:
    known: IPv4Address | IPv6Address = ip_address(address)
    return any(known in net for net in (_NO_HOST if which == "no host" else _ONE_LINK))


def drop_icmp(frame: bytes) -> tuple[str, bytes]:
    is_icmp = frame[12:14] == b"\x08\0" and frame[23:24] == b"\1" and len(frame) >= 34
    return DROP if is_icmp else PASS, frame


def icmp_count(frame: bytes) -> tuple[str, bytes]:
    return PASS, frame


def mac_swap(frame: bytes) -> tuple[str, bytes]:
    return TX, frame[6:12] + frame[:6] + frame[12:]


def echo_reply(frame: bytes) -> tuple[str, bytes]:  # RFC 792, RFC 4443 section 4
    ip = datagram(frame)
    if ip is None or not ip.payload or len(ip.payload) < 8 or ip.extras or ip.partial:
        return PASS, frame
    four = len(ip.source) == 4
    asks, answers = (b"\x08\0", b"\0\0") if four else (b"\x80\0", b"\x81\0")
    if ip.kind != (1 if four else 58) or ip.payload[:2] != asks:
        return PASS, frame
    if frame[0] % 2 or frame[6] % 2:
        return PASS, frame
    if _within(ip.source, "no host") or _within(ip.target, "no host"):
        return PASS, frame
    if four:
        head = ip.header[:8] + b"\x40" + ip.header[9:12] + ip.target + ip.source
        head = summed(ip.header, head, 10)
        message = summed(ip.payload, answers + ip.payload[2:], 2)
        if message[2:4] == b"\0\0":  # all may be 0 in an echo reply
            message = message[:2] + b"\xff\xff" + message[4:]
    else:
        head = ip.header[:7] + b"\x40" + ip.target + ip.source
        size = len(ip.payload).to_bytes(4) + b"\0\0\0\x3a"
        asked = ip.source + ip.target + size + ip.payload
        message = summed(asked, ip.target + ip.source + size + answers + ip.payload[2:], 42)[40:]
    end = ip.start + len(head) + len(message)
    return TX, frame[6:12] + frame[:6] + frame[12 : ip.start] + head + message + frame[end:]


def redirect(frame: bytes) -> tuple[str, bytes]:  # RFC 1812 section 5
    ip = datagram(frame)
    if ip is None or ip.target not in _HOPS or ip.tags or frame[0] % 2 or ip.hops < 2:
        return PASS, frame
    for address in (ip.source, ip.target):
        if _within(address, "no host") or _within(address, "one link"):
            return PASS, frame
    hops = bytes([ip.hops - 1])
    if len(ip.source) == 4:
        if ip.extras:
            return PASS, frame
        head = summed(ip.header, ip.header[:8] + hops + ip.header[9:], 10)
    else:
        if ip.header[6] == 0:  # hop-by-hop options: for every router to read
            return PASS, frame
        head = ip.header[:7] + hops + ip.header[8:]
    return REDIRECT, _HOPS[ip.target] + frame[12:14] + head + frame[14 + len(head) :]


def dns_block(frame: bytes) -> tuple[str, bytes]:  # RFC 1035, section 4.1
    ip = datagram(frame)
    if ip is None or ip.kind != 17 or not ip.payload or ip.payload[2:4] != b"\0\x35":
        return PASS, frame
    message = ip.payload[8 : int.from_bytes(ip.payload[4:6])]
    if len(message) < 12 or message[2] >= 128 or message[4:6] != b"\0\1":
        return PASS, frame
    labels, at = [], 12
    while at < len(message) and 0 < message[at] < 64:
        labels.append(message[at + 1 : at + 1 + message[at]].lower())
        at += 1 + message[at]
    complete = at < len(message) and message[at] == 0
    return DROP if complete and at - 12 < 64 and tuple(labels) in BLOCKED else PASS, frame


def capture(frame: bytes) -> tuple[str, bytes]:
    return PASS, frame


MODELS = {
    model.__name__: model
    for model in (drop_icmp, icmp_count, mac_swap, echo_reply, redirect, dns_block, capture)
}
