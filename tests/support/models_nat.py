"""What bpf/lb_nat.c must make of a frame, and odd packets for it: RFC 791, 768, 9293, 1071."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import product
from typing import Any

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet, Raw

from labsetup import Program
from labsetup.packets.craft import frame

from .models import PASS, TX, datagram, ones
from .models_balance import EMPTY, MAC, NAMES, ROWS, VIP, Flow, mac_of, siphash

CLIENT = "203.0.113.7"
CLIENT_MAC = bytes.fromhex("02000000aa01")
ADDRESSES = {
    place: ip_address(f"192.0.2.{11 + place}").packed
    for place in range(len(NAMES))
    if place != EMPTY
}
_PLACES = {address: place for place, address in ADDRESSES.items()}
_VIP, _OWN, _PORT = ip_address(VIP).packed, bytes.fromhex(MAC.replace(":", "")), b"\0\x50"
_LEAST = {6: 20, 17: 8}  # bytes of a header
_CHECK = {6: 16, 17: 6}  # where its checksum lies


def fill(program: Program) -> None:
    """Write into its own maps what the model assumes; models_balance.fill() does the others."""
    for place, address in ADDRESSES.items():
        program["addresses"][place] = address
        program["answering"][address] = place
    program["way_back"][0] = {"seed": 0, "mac": CLIENT_MAC}


def lb_nat(frame: bytes) -> tuple[str, bytes]:
    """The verdict, and the frame after it."""
    ip = datagram(frame)
    if ip is None or len(ip.source) != 4 or ip.partial or frame[:6] != _OWN:
        return PASS, frame
    load = ip.payload
    if load is None or len(load) < _LEAST.get(ip.kind, 1 << 17):
        return PASS, frame
    source_port, target_port = load[:2], load[2:4]
    if ip.target == _VIP and target_port == _PORT:
        flow = Flow(ip.source, ip.target, source_port, target_port, ip.kind)
        place = ROWS[siphash(flow) % 65536]
        if place not in ADDRESSES:
            return PASS, frame
        mac, at, old, new = mac_of(place), 16, ip.target, ADDRESSES[place]
    elif source_port == _PORT and ip.source in _PLACES:
        mac, at, old, new = CLIENT_MAC, 12, ip.source, _VIP
    else:
        return PASS, frame

    out = bytearray(mac + _OWN + frame[12:])
    out[ip.start + at : ip.start + at + 4] = new
    _mend(out, ip.start + 10, old, new)
    check = ip.start + len(ip.header) + _CHECK[ip.kind]
    without = ip.kind == 17 and not any(out[check : check + 2])
    if not without:
        _mend(out, check, old, new)
        if ip.kind == 17 and not any(out[check : check + 2]):
            out[check : check + 2] = b"\xff\xff"  # RFC 768: 0 would say that there is none
    return TX, bytes(out)


def _mend(frame: bytearray, at: int, old: bytes, new: bytes) -> None:
    """The checksum loses what the sum won; of both ways to write 0, ones() has 0x0000."""
    mended = int.from_bytes(frame[at : at + 2]) + ones(old) - ones(new)
    frame[at : at + 2] = (mended % 0xFFFF).to_bytes(2)


def corpus() -> list[bytes]:
    """Packets for the VIP and answers of servers, and what is nearly one of them."""
    address = str(ip_address(ADDRESSES[4]))
    there: list[dict[str, Any]] = [{"src": CLIENT, "dst": VIP}, {"src": address, "dst": CLIENT}]
    there += [{"src": CLIENT, "dst": address}, {"src": "192.0.2.14", "dst": CLIENT}]
    ports = [{"sport": 40000, "dport": 80}, {"sport": 80, "dport": 40000}]
    ports += [{"sport": 40000, "dport": 81}, {"sport": 81, "dport": 40000}, {"sport": 80}]
    packets: list[Packet] = []
    for ends, port in product(there, ports):
        header = IP(**ends)
        ports_of: dict[str, Any] = {"dport": 443} | port
        some_flags = "S", "SA", "A", "FA", "R"
        loads: list[Packet] = [TCP(**ports_of, flags=flags) for flags in some_flags]
        loads += [TCP(**ports_of) / Raw(b"data" * 9), UDP(**ports_of) / Raw(b"quic" * 9)]
        loads += [UDP(**ports_of, chksum=0) / Raw(b"none"), Raw(b"\0\x50\0\x50" * 9)]
        loads += [TCP(**ports_of, options=[("MSS", 1460), ("WScale", 7)])]
        right = (ends["dst"] == VIP, 80) in ((True, port.get("dport")), (False, port["sport"]))
        if not right or ends in there[2:]:
            packets += [Ether() / header / load for load in loads[2:7:4]]
            continue
        packets += [Ether() / header / load for load in loads]
        tags = [Dot1Q(vlan=5), Dot1Q(vlan=5) / Dot1Q(vlan=6), Dot1Q() / Dot1Q() / Dot1Q()]
        packets += [Ether() / tag / header / loads[2] for tag in tags]
        packets += [
            Ether(dst=mac) / header / loads[2] for mac in ("ff:ff:ff:ff:ff:ff", MAC[:-1] + "1")
        ]
        ways: list[dict[str, Any]] = [{"flags": "MF"}, {"frag": 9}, {"flags": "DF"}, {"tos": 8}]
        ways += [
            {"options": b"\x94\x04\0\0"},
            {"ihl": 6},
            *({"len": n} for n in (20, 27, 28, 39, 40)),
        ]
        packets += [Ether() / IP(**ends, **way) / load for way in ways for load in loads[4:7]]
    for number in range(80):
        flow = TCP(sport=1024 + 777 * number, dport=80, flags="SA"[number % 2])
        packets.append(Ether() / IP(src=f"203.0.113.{number}", dst=VIP) / flow)
        back = UDP(sport=80, dport=1024 + number) / Raw(bytes([number]))
        packets.append(Ether() / IP(src=str(ip_address(ADDRESSES[number % 3])), dst=CLIENT) / back)
    frames = [frame(packet) for packet in packets]
    return [*dict.fromkeys([*frames, *(one + b"\xa5" * 18 for one in frames), *_turning(frames)])]


def _turning(frames: list[bytes]) -> list[bytes]:
    """Checksums at which a carry appears or a zero turns over, right or not."""
    found: list[bytes] = []
    for whole in frames:
        if lb_nat(whole)[0] != TX or len(found) > 2000:
            continue
        ip = datagram(whole)
        assert ip
        at = ip.start + len(ip.header) + _CHECK[ip.kind]
        for place, wanted in product((at, ip.start + 10), (0, 1, 0xFF, 0x100, 0xFFFE, 0xFFFF)):
            found.append(whole[:place] + wanted.to_bytes(2) + whole[place + 2 :])
    return found + [_to_zero(one) for one in found[:400:12]]


def _to_zero(whole: bytes) -> bytes:
    """The same with the checksum that becomes 0 when it is mended."""
    ip = datagram(whole)
    assert ip
    at = ip.start + len(ip.header) + _CHECK[ip.kind]
    for wanted in range(1, 0x10000):
        one = whole[:at] + wanted.to_bytes(2) + whole[at + 2 :]
        after = lb_nat(one)[1][at : at + 2]
        if after in (b"\0\0", b"\xff\xff"):
            return one
    raise AssertionError(whole.hex())
