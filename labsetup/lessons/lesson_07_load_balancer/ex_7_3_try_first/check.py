"""Two tables, of which one is in use: the other can be tried before everybody gets it.

Each table is the active one once. After each packet of the tester's comes one of somebody else's,
whose way must not have changed.
"""

from __future__ import annotations

from collections.abc import Callable

from scapy.packet import Packet

from labsetup import ICMP, IP, TCP, VIP, Ether, Program, Raw
from labsetup.lessons.balancers import (
    CLIENT,
    LB,
    SERVERS,
    handed,
    others,
    raw,
    rows_of,
    tell,
    to_vip,
)
from labsetup.practice.checking import PASS, Wrong, equal, expect

Pair = tuple[str, str]  # servers that share a table

TESTER, MIRRORED = "192.0.2.99", "99.2.0.192"
OLD, NEW = ("s1", "s2"), ("s4", "s5")
SENDS = "It is for the VIP and came to lb, so it goes to a server. Tables have the numbers 0 and 1."
WHOSE = "Whose connection does the program take it for, and which table has it looked in?"
TURNED = "It takes {} for the tester. In which order are the bytes of TESTER, and those of flow?"
UNSEEN = (
    "Nobody is taken for the tester. In which word of flow.source is the client's address, and in "
    "which half of it? put_ip() in hash.h says so."
)
NUMBERED = "The tester is known. What names the server: a table's number, or one of its rows?"
WRITTEN = "One client's packets must change nothing for others. What does the program write to?"
QUOTES = "The error comes from a router. Whose connection is it about?"
ROW = "The table is the right one. A row of it names the server."


def check(program: Program) -> None:
    names = list(SERVERS)
    tell(program, *names)
    for active, tables in enumerate(((OLD, NEW), (NEW, OLD))):
        for number, servers in enumerate((OLD, NEW)):
            program["tables"][number] = {"rows": rows_of(names, servers)}
        program["active"][0] = active
        everybody, tried = tables
        _try(program, active, everybody, tried)


def _try(program: Program, active: int, everybody: Pair, tried: Pair) -> None:
    state = f"tables[{active}] being active"
    table = {everybody: "the table that everybody has", tried: "the table that is to be tried"}

    def goes(what: str, packet: Packet, wanted: Pair, think: str | Callable[[], str]) -> str:
        to = handed(program, f"{what}, {state}", packet, SENDS)
        if to not in wanted:
            found = next((words for servers, words in table.items() if to in servers), "neither")
            raise Wrong(
                f"{what}, {state}",
                f"handed to {' or '.join(wanted)}",
                f"handed to {to}, by {found}",
                think() if callable(think) else think,
            )
        return to

    def unseen() -> str:
        """Why the tester may go by the table that everybody has."""
        ways = [
            {program.run(to_vip(port, src=client)).after[:6] for port in ports}
            for client in (TESTER, "192.0.2.1")
        ]
        if ways[0] != ways[1]:
            return NUMBERED
        run = program.run(to_vip(src=MIRRORED))
        if any(run.after.startswith(raw(SERVERS[name])) for name in tried):
            return TURNED.format(MIRRORED)
        return WHOSE if active else UNSEEN  # for it was seen while the other was active

    def error(client: str, port: int) -> Packet:
        quoted = IP(src=VIP, dst=client) / TCP(sport=80, dport=port)
        head = Ether(dst=LB, src=CLIENT) / IP(src="203.0.113.9", dst=VIP) / ICMP(type=3, code=4)
        return head / Raw(bytes(quoted))

    ports = range(40_000, 40_020)
    at = {}
    for port in ports:
        goes("a packet from 192.0.2.1", to_vip(port), everybody, WHOSE)
        what = f"a packet from {TESTER}"
        at[port] = goes(what, to_vip(port, src=TESTER), tried, unseen)
        what = f"a packet from 192.0.2.1, right after one from {TESTER}"
        think = WRITTEN if program["active"][0] != active else WHOSE
        goes(what, to_vip(port), everybody, think)
    equal(
        f"20 connections of {TESTER}'s, {state}",
        "servers that have some:",
        2,
        len(set(at.values())),
        ROW,
    )
    for other in ("192.0.2.98", "192.0.3.99", MIRRORED, "192.0.2.1"):
        goes(f"a packet from {other}", to_vip(src=other), everybody, WHOSE)
    for port in ports:
        what = f"an ICMP error about a connection of {TESTER}'s"
        to = goes(what, error(TESTER, port), tried, QUOTES)
        equal(what, "handed to", at[port], to, QUOTES)
        what = "an ICMP error about a connection of 192.0.2.1's"
        goes(what, error("192.0.2.1", port), everybody, QUOTES)
    for what, packet in others().items():
        expect(program, what, packet, PASS, "That is no business of the balancer's.")
