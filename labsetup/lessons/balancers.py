"""What the exercises on balancers have in common: hosts, packets, and what was done to one."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scapy.packet import Packet

from ..balancing.balancer import rows
from ..balancing.hashing import random_flows, seed_of
from ..network.topologies import VIP, VIP6
from ..packets.craft import IP, TCP, UDP, Ether, IPv6, frame
from ..packets.fields import fields_of
from ..practice.checking import TX, Wrong, expect
from ..programs.program import Program
from ..programs.run import Run

# As topologies.balanced() has them.
LB = "02:00:00:00:03:00"
SERVERS = {f"s{number}": f"02:00:00:00:{number + 3:02x}:00" for number in range(1, 6)}
CLIENT = "02:00:00:00:01:00"
BROADCAST = "ff:ff:ff:ff:ff:ff"
NAMES = {LB: "lb", CLIENT: "the client"} | {mac: name for name, mac in SERVERS.items()}
ROUTER = "02:00:00:00:02:01"  # towards the servers, in topologies.no_balancer()
KEY = (2024, 204)

NOT_OURS = "The frame went to nobody who has the VIP. What must its destination MAC address be?"
TEACHES = (
    "A switch learns from a frame's source address who is at which port. Whom does it now believe "
    "to be at lb's?"
)
ABOVE = (
    "A server takes the packet for its own, and answers the client, because nothing above Ethernet "
    "has changed."
)
BACK = (
    "A switch does not send a frame back to the port that it came from. How do you ask whether the "
    "owner is this very server? (== of two arrays compares where they lie, not what is in them.)"
)
BORN = ("00:16:3e:12:34:56", "3c:7c:3f:9a:0d:b2", "d4:5d:64:c1:e7:08")  # no byte like another's
FROM_ROUTER = "The switch would learn that the router is at this server's port."
GROUP = "The lowest bit of its first byte is set: that is the address of a group, and nobody's own."


def raw(mac: str) -> bytes:
    """The bytes of a MAC address."""
    return bytes.fromhex(mac.replace(":", ""))


def tell(program: Program, *servers: str, own: str = LB, key: tuple[int, int] = KEY) -> None:
    """Fill those of a balancer's maps that a program has, as `Balancer` does.

    Args:
        program: the reader's.
        servers: names; one that begins with "!" is in its place, and its MAC address is not.
        own: the MAC address of the host that runs the program.
        key: of the hash.
    """
    program["settings"][0] = {
        "key": {"word": list(key)},
        "vip": ip_address(VIP).packed,
        "vip6": ip_address(VIP6).packed,
        "mac": raw(own),
        "servers": len(servers),
    }
    for place, server in enumerate(servers):
        name = server.lstrip("!")
        mac = bytes(6) if server.startswith("!") else raw(SERVERS[name])
        program["servers"][place] = {"seed": int(seed_of(name)), "mac": mac}
    if "tables" in program.maps:
        fill(program, servers, servers)


def fill(program: Program, servers: Sequence[str], among: Sequence[str]) -> None:
    """Make the table that is in use say that only some of the servers own rows.

    Args:
        program: the reader's.
        servers: names, in the order of their places.
        among: those that own rows.
    """
    program["tables"][program["active"][0]] = {"rows": rows_of(servers, among)}


def rows_of(servers: Sequence[str], among: Sequence[str]) -> NDArray[np.uint16]:
    """A table whose rows are owned by some of the servers only."""
    return rows(tuple(servers.index(name) for name in among), tuple(among))


def to_vip(
    sport: int = 40_000,
    src: str = "192.0.2.1",
    flags: str = "A",
    to: str = LB,
    dst: str = VIP,
    **ip: Any,
) -> Packet:
    """A TCP segment from a client to the VIP.

    Args:
        sport: the client's port.
        src: the client's address.
        flags: of TCP, as scapy writes them.
        to: the MAC address that the frame goes to.
        dst: the address that it goes to in its place.
        ip: more fields of the IPv4 header.
    """
    header = IP(src=src, dst=dst, **ip)
    return Ether(dst=to, src=CLIENT) / header / TCP(sport=sport, dport=80, flags=flags)


def one_flow() -> NDArray[np.void]:
    """The five-tuple of to_vip()'s packets."""
    flow = random_flows(1)
    flow["source"][0, 12:], flow["ports"][0] = (192, 0, 2, 1), (40_000, 80)
    return flow


def datagram(sport: int = 40_000) -> Packet:
    """A UDP datagram from a client to the VIP."""
    return Ether(dst=LB, src=CLIENT) / IP(dst=VIP) / UDP(sport=sport, dport=53) / b"question"


def over_ipv6(sport: int = 40_000, src: str = "2001:db8::1", flags: str = "A") -> Packet:
    """A TCP segment from a client to the VIP, over IPv6."""
    header = IPv6(src=src, dst=VIP6)
    return Ether(dst=LB, src=CLIENT) / header / TCP(sport=sport, dport=80, flags=flags)


def to_another(program: Program, place: int, packet: Packet, think: str) -> None:
    """Run a program with MAC addresses in its maps as devices are born with.

    Args:
        program: the reader's.
        place: of the server that owns the packet.
        packet: for the VIP.
        think: the thought for those whose program does not send it there.
    """
    server, own, client = BORN
    program["settings"][0] = program["settings"][0] | {"mac": raw(own)}
    program["servers"][place] = {"seed": int(seed_of("s1")), "mac": raw(server)}
    packet.dst, packet.src = own, client
    after = frame(packet)
    after = raw(server) + raw(own) + after[12:]
    what = f"TCP for the VIP, lb being {own} and the server {server}"
    expect(program, what, packet, TX, think, after)


def handed(program: Program, what: str, packet: Packet | bytes, think: str) -> str:
    """Run a program at lb on a packet that it must hand to a server; returns to which.

    Args:
        program: the reader's.
        what: the packet in words.
        packet: what goes in.
        think: the thought for those whose program does not send it.
    """
    run = program.run(packet)
    sent = f"{what} ({len(run.before)} bytes)"
    if run.verdict != TX:
        raise Wrong(sent, "XDP_TX, to a server", run.verdict, think)
    name, src = _receiver(run, sent), NAMES.get(mac := run.after[6:12].hex(":"), mac)
    if src != "lb":
        raise Wrong(
            sent, "XDP_TX, from lb's own MAC address", f"XDP_TX, from {_whose(src)}", TEACHES
        )
    _only_addresses_change(run, sent)
    return name


def _receiver(run: Run, sent: str) -> str:
    """The server to whose MAC address a frame goes."""
    name = NAMES.get(mac := run.after[:6].hex(":"), mac)
    if name not in SERVERS:
        raise Wrong(
            sent, "XDP_TX, to the MAC address of a server", f"XDP_TX, to {_whose(name)}", NOT_OURS
        )
    return name


def _only_addresses_change(run: Run, sent: str) -> None:
    wanted = run.after[:12] + run.before[12:]
    if run.after != wanted:
        differs = [field for field in fields_of(wanted, run.after) if field.changed]
        raise Wrong(
            sent,
            "XDP_TX, with other MAC addresses and nothing else new",
            "XDP_TX, with more that is new",
            ABOVE,
            differs,
        )


def _whose(name: str) -> str:
    if name not in NAMES.values():
        return f"{name}, which is nobody's"
    return "lb's own MAC address" if name == "lb" else f"the MAC address of {name}"


def others() -> dict[str, bytes]:
    """Frames that are no business of a balancer's."""
    elsewhere = to_vip(dst="192.0.2.2")
    return {
        "TCP for another address": frame(elsewhere),
        "TCP for the VIP, in a frame for another host": frame(to_vip(to=SERVERS["s1"])),
        "TCP from the VIP": frame(to_vip(src=VIP, dst="192.0.2.1")),
        "a broadcast for the VIP": frame(to_vip(to=BROADCAST)),
    }


def handed_on(run: Run, sent: str, own: str) -> str:
    """The server to which one of its peers has handed a packet on.

    Args:
        run: what the reader's program made of it.
        sent: the packet in words.
        own: the MAC address of the host that ran the program.
    """
    name, src = _receiver(run, sent), run.after[6:12].hex(":")
    if name == NAMES[own]:
        raise Wrong(sent, f"XDP_PASS at {name}", f"XDP_TX from {name} to {name} itself", BACK)
    if int(src[:2], 16) & 1:
        raise Wrong(sent, "XDP_TX, from a host's MAC address", f"XDP_TX, from {src}", GROUP)
    if src == ROUTER:
        raise Wrong(
            sent,
            "XDP_TX, from another MAC address than the router's",
            f"XDP_TX, from {src}",
            FROM_ROUTER,
        )
    _only_addresses_change(run, sent)
    return name
