"""The closing one of lesson 07: the balancer, from an empty file.

One connection comes first, then a thousand and their shares, and what else is for the VIP. Then a
server leaves and comes back, the key changes, somebody aims who does not know the key, real
connections are opened, and at the end there are 16 servers, or none.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from labsetup import (
    ARP,
    ICMP,
    IP,
    TCP,
    VIP,
    VIP6,
    Balancer,
    Connections,
    Ether,
    IPv6,
    LabError,
    Program,
    Raw,
    balanced,
    random_flows,
    seed_of,
    segments,
)
from labsetup.balancing.balancer import NO_OWNER, ROWS, rows
from labsetup.lessons.balancers import (
    BROADCAST,
    CLIENT,
    KEY,
    LB,
    datagram,
    handed,
    others,
    over_ipv6,
    raw,
    to_vip,
)
from labsetup.network.network import Network
from labsetup.packets.craft import frame
from labsetup.practice.checking import PASS, TX, Wrong, equal, expect

Frames = list[bytes]

SENDS = "It is for the VIP and came to lb, so it goes to a server."
OURS = "That is for the stack."
ONE = "A connection's packets must all be at one server. What is the same in each of them?"
QUOTES = "The error's own addresses say nothing. It quotes the packet that it is about."
TABLE = "Which of the two tables have you read, and which one is in use?"
ACTIVE = "Two tables: one in use, one that is being filled. How does it know which is which?"
ROW = (
    "Each server has its share of the rows, and a row is a u16. What becomes of it, from the table "
    "to the map servers?"
)
NEWLY = (
    "It is not in the table any more, nor in the list. A SYN begins a new connection: has anything "
    "old answered for it?"
)
SIX = "for_vip() lets it through: it is for the VIP, over IPv6."
ROOM = "For how many servers has your map room, and how many can be chosen?"
WHOLE = "Nobody has this address. Which of its bytes are a server's, and how many are there?"
AIMED = "Whoever reads your program knows the key. Balancer writes another one, into settings."
EMPTY = "Nobody is there to get it. Six zeros are no address, and the stack is to decide."
SHARE = "Which of them are told apart by what you hash, and which are not?"
MOVED = "They had a server in the best of health, and have lost it. What does a choice depend on?"
CLOSED = "They did not even open. Follow one with tcpdump."
SAME = "The same servers, the same choice: what else does yours depend on?"
CHOSEN = (
    "Whoever has read your program can choose such connections. Which part of them does not get "
    "into your hash, or cancels out in it before the key has its say?"
)
BEHIND = (
    "Whoever has read your program can find connections that share a row under any key. Is the key "
    "in the hash from its beginning, or only put to what comes out of it?"
)
FRAGMENTS = "Only the first fragment has ports. What have both?"


def check(program: Program) -> None:
    if "tables" in program.maps and "active" not in program.maps:
        raise Wrong(
            "Balancer(net, my_balancer)",
            "a map active beside the map tables",
            f"its maps are {', '.join(program.maps)}",
            ACTIVE,
        )
    net = balanced(ipv6=True)
    balancer = Balancer(net, program, KEY)
    _one_connection(program)
    for what, packet in others().items():
        expect(program, what, packet, PASS, OURS)
    question = Ether(dst=BROADCAST, src=CLIENT) / ARP(pdst=VIP)
    expect(program, "a question for the VIP's MAC address", question, PASS, OURS)
    flows = random_flows(1000, clients="203.0.113.0/24")
    clients = _frames(net, flows)
    before = _fair(program, "1,000 connections", clients, _uneven)
    ports, addresses = flows[:500].copy(), flows[:500].copy()  # they differ in these alone
    ports["source"], addresses["ports"] = flows["source"][0], flows["ports"][0]
    numbers = np.arange(500)
    ports["ports"][:, 0] = 20_000 + numbers
    addresses["source"][:, 14] = numbers // 256
    addresses["source"][:, 15] = numbers % 256
    _fair(program, "500 connections of one client", _frames(net, ports))
    _fair(program, "500 clients' connections, which all have one port", _frames(net, addresses))
    _what_else(program)
    balancer.use("s1", "s2", "s4", "s5")
    after = _servers(program, clients)
    stayed = np.array(before) != "s3"
    moved = int((np.array(before) != np.array(after))[stayed].sum())
    equal("s3 leaves", "connections of the others that move:", 0, moved, MOVED)
    equal("s3 leaves", "connections that are still handed to it:", 0, after.count("s3"), NEWLY)
    balancer.use("s1", "s2", "s3", "s4", "s5")
    back = sum(a == b for a, b in zip(before, _servers(program, clients), strict=True))
    equal("s3 is back", "connections that are where they were:", 1000, back, SAME)
    _another_key(program, clients, before)
    _aimed(program)
    _together(program, clients)
    _really(net, balancer)
    _many(program, _frames(net, random_flows(400, seed=76)))


def _one_connection(program: Program) -> None:
    first = handed(program, "TCP for the VIP", to_vip(), SENDS)
    found = {handed(program, "TCP for the VIP", to_vip(), SENDS) for _ in range(20)}
    equal("the same packet, 20 times", "handed to", first, ", ".join(sorted(found)), ONE)
    for number in range(1, 6):
        more = to_vip(id=number * 77, ttl=60 + number, tos=number) / Raw(bytes(number * 100))
        more[TCP].seq, more[TCP].window = number * 1000, 4096 + number
        for flags in ("A", "PA", "FA"):
            more[TCP].flags = flags
            to = handed(program, "the next packet of the connection", more, SENDS)
            equal("the next packet of the connection", "handed to", first, to, ONE)


def _frames(net: Network, flows: NDArray[np.void]) -> Frames:
    return segments(flows, net.client.eth0, net.lb.eth0)


def _servers(program: Program, clients: Frames) -> list[str]:
    return [handed(program, "a SYN", client, SENDS) for client in clients]


def _fair(
    program: Program,
    what: str,
    clients: Frames,
    why: Callable[[Program, Frames], str] = lambda *_: SHARE,
) -> list[str]:
    at = _servers(program, clients)
    counts = Counter({f"s{n}": 0 for n in range(1, 6)}) + Counter(at)
    share = len(clients) / 5
    if not all(0.6 * share <= counts[f"s{n}"] <= 1.5 * share for n in range(1, 6)):
        found = ", ".join(f"s{n} {counts[f's{n}']}" for n in range(1, 6))
        raise Wrong(what, f"about {share:.0f} at each server", found, why(program, clients))
    return at


def _uneven(program: Program, clients: Frames) -> str:
    """Why connections of all kinds are not spread evenly."""
    if "tables" not in program.maps:
        return SHARE
    before = [program.run(client).after[:6] for client in clients[:50]]
    unused = 1 - program["active"][0]
    program["tables"][unused] = {"rows": np.full(ROWS, 1, np.uint16)}
    if [program.run(client).after[:6] for client in clients[:50]] != before:
        return TABLE
    return ROW if len(set(before)) > 1 else SHARE


def _another_key(program: Program, clients: Frames, before: list[str]) -> None:
    settings = program["settings"][0]
    program["settings"][0] = settings | {"key": {"word": [68, 76]}}
    after = _servers(program, clients)
    program["settings"][0] = settings
    moved = sum(a != b for a, b in zip(before, after, strict=True))
    if moved < 100:
        raise Wrong(
            "another key in settings, and 1,000 connections",
            "most at another server",
            f"{moved} at another server",
            AIMED,
        )


def _aimed(program: Program) -> None:
    """Connections that one hash or another takes for the same, whatever the key."""
    # 64 bits of disorder; the first byte on the wire is that of an address that a host may have.
    numbers = [(n * 0x9E3779B97F4A7C15 & ~0xFF | 0x20) % 2**64 for n in range(1, 101)]
    halves = [number.to_bytes(8, "little") for number in numbers]
    less = [(-number % 2**64).to_bytes(8, "little") for number in numbers]
    quarters = [struct.pack("<2I", *(-w % 2**32 for w in struct.unpack("<2I", h))) for h in halves]
    ports = [half[4:6] for half in halves]
    six = "100 connections over IPv6 from one port, of addresses that differ in "
    families: dict[str, list[tuple[int, list[bytes]]]] = {
        f"{six}their first half": [(22, halves)],
        f"{six}their second half": [(30, halves)],
        f"{six}bytes 8 to 11": [(30, [half[:4] for half in halves])],
        f"{six}both halves, which are alike": [(22, halves), (30, halves)],
        f"{six}both halves, whose sum is 0": [(22, halves), (30, less)],
        f"{six}all quarters, whose sum is 0": [(22, halves), (30, quarters)],
        "100 connections whose ports are the first half of their addresses": [
            (26, [bytes([32 + p[0] % 64, p[1]]) for p in ports]),
            (34, [bytes([32 + p[0] % 64, p[1]]) for p in ports]),
        ],
        "100 connections whose ports are the second half of their addresses": [
            (28, ports),
            (34, ports),
        ],
    }
    for what, places in families.items():
        whole = bytearray(
            frame(over_ipv6(flags="S") if what.startswith(six) else to_vip(flags="S"))
        )
        clients = []
        for number in range(100):
            for at, parts in places:
                whole[at : at + len(parts[number])] = parts[number]
            clients.append(bytes(whole))
        (name, most), *_ = Counter(_servers(program, clients)).most_common()
        if most > 60:
            raise Wrong(what, "about 20 at each server", f"{most} at {name}", CHOSEN)


def _together(program: Program, clients: Frames) -> None:
    """Under ten keys few connections have one server each time, if the key is in the hash."""
    settings = program["settings"][0]
    at: list[list[bytes]] = [[] for _ in clients]
    for number in range(10):
        key = {"word": [number * 0x9E3779B97F4A7C15 % 2**64, number * 0xC2B2AE3D27D4EB4F % 2**64]}
        program["settings"][0] = settings | {"key": key}
        for servers, client in zip(at, clients, strict=True):
            servers.append(program.run(client, repeat=2).after[:6])
    program["settings"][0] = settings
    pairs = sum(n * (n - 1) // 2 for n in Counter(map(tuple, at)).values())
    if pairs > 3:  # 0.05 by chance, and 8 where rows are fixed and the key only moves them
        happened = f"{pairs} pairs of them have one server under all ten"
        raise Wrong(f"{len(clients):,} connections, and ten keys", "hardly any", happened, BEHIND)


def _many(program: Program, clients: Frames) -> None:
    """With as many servers as are asked for, and then with nobody."""
    names = tuple(f"server {place}" for place in range(16))
    macs = [raw(f"3c:7c:3f:00:00:{place + 1:02x}") for place in range(16)]

    def fill(servers: int, addresses: list[bytes], owners: NDArray[np.uint16]) -> None:
        for place, (name, mac) in enumerate(zip(names, addresses, strict=True)):
            program["servers"][place] = {"seed": int(seed_of(name)), "mac": mac}
        program["settings"][0] = program["settings"][0] | {"servers": servers}
        if "tables" in program.maps:
            program["tables"][program["active"][0]] = {"rows": owners}

    shares = rows(tuple(range(16)), names)
    try:
        fill(16, macs, shares)
    except LabError as error:  # no such place
        raise Wrong("16 servers", "room for them in the map servers", str(error), ROOM) from None
    runs = [program.run(client) for client in clients]
    some = {run.after[:6] for run in runs if run.verdict == TX}
    if strange := some - set(macs) - {bytes(6)}:
        raise Wrong(
            "a SYN, and 16 servers",
            "XDP_TX, to one of 3c:7c:3f:00:00:01 to …:10",
            f"XDP_TX, to {min(strange).hex(':')}",
            WHOLE,
        )
    some -= {bytes(6)}
    equal("400 SYNs, and 16 servers", "servers that get some:", 16, len(some), ROOM)
    none = [bytes(6)] * 16
    fill(16, none, shares)
    for client in clients[:20]:
        what = "a SYN for one of 16 servers, and nobody is in their places"
        expect(program, what, client, PASS, EMPTY)
    fill(0, none, np.full(ROWS, NO_OWNER, np.uint16))
    expect(program, "a SYN, and no server at all", clients[0], PASS, EMPTY)


def _what_else(program: Program) -> None:
    handed(program, "UDP for the VIP", datagram(), "It goes to a server, whatever it carries.")
    for port in range(40_000, 40_010):
        at = handed(program, "TCP for the VIP", to_vip(port), SENDS)
        error = IP(src="203.0.113.9", dst=VIP) / ICMP(type=3, code=4)
        error /= Raw(bytes(IP(src=VIP, dst="192.0.2.1") / TCP(sport=80, dport=port)))
        what = f"an ICMP error about a packet of the connection at {at}"
        to = handed(program, what, Ether(dst=LB, src=CLIENT) / error, SENDS)
        equal(what, "handed to", at, to, QUOTES)
        options = to_vip(port, options=b"\x01" * 4)
        to = handed(program, "a packet with IP options", options, SENDS)
        equal(f"a packet with IP options, of the connection at {at}", "handed to", at, to, ONE)
    elsewhere = Ether(dst=LB) / IPv6(dst="2001:db8::9") / TCP()
    expect(program, "TCP for another IPv6 address", elsewhere, PASS, OURS)
    for port in range(40_000, 40_010):
        at = handed(program, "TCP for the VIP, over IPv6", over_ipv6(port), SIX)
        quoted = IPv6(src=VIP6, dst="2001:db8::1") / TCP(sport=80, dport=port)
        too_big = Raw(b"\2" + bytes(7) + bytes(quoted))
        error6 = IPv6(src="2001:db8:9::9", dst=VIP6, nh=58) / too_big
        what = f"an ICMPv6 error about a packet of the connection at {at}"
        to = handed(program, what, Ether(dst=LB, src=CLIENT) / error6, SIX)
        equal(what, "handed to", at, to, QUOTES)
    for number in range(1, 11):
        head = Ether(dst=LB, src=CLIENT)
        head /= IP(src=f"203.0.113.{number}", dst=VIP, proto=17, id=number)
        first = head / Raw(bytes(datagram()[IP].payload) + bytes(7))
        first[IP].flags = "MF"
        later = head / Raw(b"the rest")
        later[IP].frag = 3
        at = handed(program, "the first fragment of a datagram", first, SENDS)
        to = handed(program, "its second fragment", later, SENDS)
        equal("the second fragment of a datagram", "handed to", at, to, FRAGMENTS)


def _really(net: Network, balancer: Balancer) -> None:
    """The same with real connections."""
    connections = Connections(net, 200)
    equal("200 connections over a network", "broken", 0, connections.broken, CLOSED)
    balancer.use("s1", "s2", "s4", "s5")
    connections.check()
    lost = int((~connections.alive & (connections.at != "s3")).sum())
    equal("200 connections over a network, and s3 leaves", "broken at the others", 0, lost, MOVED)
