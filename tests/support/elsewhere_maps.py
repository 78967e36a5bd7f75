"""What programs of tests/elsewhere keep and look up in maps and variables, packet by packet."""

from __future__ import annotations

import struct

from labsetup import ARP, IP, TCP, UDP, Ether, IPv6, Program, Raw
from labsetup.packets.craft import FIRST_MAC, frame
from support.elsewhere import (
    ABORTED,
    DROP,
    PASS,
    PING,
    REDIRECT,
    SYN,
    UDP4,
    UDP6,
    Step,
    Story,
    as_kept,
    to_port,
)

MAC = "02:00:00:00:0a:01"
LO = 1  # its index in the sandbox: a test run looks at the map and sends nothing


def _filtered(program: Program) -> None:
    copies = program["filter_ports"][53]
    assert copies.sum - 0b1010 * len(copies) == 1 << 6


def _jumps(program: Program) -> None:
    program["jumps"][17] = program.functions["drop_udp"]
    program["jumps"][1] = program.functions["drop_icmp"]


def _inner(program: Program) -> None:
    program["outer_hash"][80] = program["inner_web"]


def _cpus(program: Program) -> None:
    program["cpu_map"][0] = struct.pack("=II", 192, 0)
    program["cpus_available"][0] = 0
    program["cpus_count"][0] = 1


def _next_hop(program: Program) -> None:
    program["tx_port"][0] = LO
    program["redirect_params"][bytes.fromhex(FIRST_MAC.replace(":", ""))] = bytes(5) + b"\x0a"


def _rules(program: Program) -> None:
    program["rules4"]["192.0.2.0/24"] = {"hits": 0, "action": 1}
    program["rules4"]["192.0.2.9/32"] = {"hits": 0, "action": 2}
    program["rules6"]["2001:db8::/64"] = {"hits": 0, "action": 1}


def _tickets(program: Program) -> None:
    for ticket in (7, 8):
        program["tickets"].push(ticket)


def _lengths(program: Program) -> None:
    assert [program["lengths"].pop() for _ in range(2)] == [43, 42]


def _configured(program: Program) -> None:
    assert program.variables["cfg"]["port"] == 53
    assert bytes(program.variables["name"]).rstrip(b"\0") == b"globals"


def _off(program: Program) -> None:
    program.variables["enabled"] = False


FLOW = {"saddr": as_kept("192.0.2.1"), "daddr": as_kept("192.0.2.2"), "sport": 9, "dport": 80}

ABOUT_MAPS = [
    Story(
        "stats_by_action",
        (
            Step(UDP4, PASS, maps={("xdp_stats_map", 2): {"rx_packets": 1, "rx_bytes": 42}}),
            Step(UDP6, DROP, maps={("xdp_stats_map", 1): {"rx_packets": 1, "rx_bytes": 62}}),
            Step(PING, PASS, maps={("xdp_stats_map", 2): {"rx_packets": 2, "rx_bytes": 84}}),
        ),
    ),
    Story(
        "redirect_map",
        (
            Step(UDP4, REDIRECT, Ether(dst="00:00:00:00:00:0a") / IP() / UDP()),
            Step(Ether(src=MAC) / IP(), PASS),
        ),
        _next_hop,
    ),
    Story(
        "filter_ports",
        (
            Step(to_port(53), DROP, then=_filtered),
            Step(Ether() / IP() / TCP(dport=53), PASS, then=_filtered),
            Step(Ether() / IP() / UDP(sport=53, dport=54), PASS, then=_filtered),
        ),
        lambda program: program["filter_ports"].update({53: 0b1010}),
    ),
    Story("cpumap_spread", (Step(UDP4, DROP), Step(UDP6, PASS))),
    Story("cpumap_spread", (Step(UDP4, REDIRECT), Step(UDP6, PASS)), _cpus),
    Story(
        "xsk_or_pass",
        (
            Step(to_port(9000), PASS, variables={"missed": 1}),
            Step(to_port(9001), PASS, variables={"missed": 1}),
        ),
    ),
    Story(
        "xsk_or_pass",
        (Step(to_port(9001), PASS, variables={"missed": 1}),),
        constants={"xsk_port": 9001},
    ),
    Story(
        "tail_calls_static",
        (
            Step(UDP4, DROP),
            Step(UDP6, PASS),
            Step(Ether() / ARP(), ABORTED, variables={"missed": 1}),
        ),
    ),
    Story("tail_calls_from_outside", (Step(UDP4, PASS),)),
    Story(
        "tail_calls_from_outside",
        (
            Step(UDP4, DROP, maps={("seen", 17): 1, ("seen", 1): 0}),
            Step(PING, DROP, maps={("seen", 17): 1, ("seen", 1): 1}),
            Step(SYN, PASS, maps={("seen", 6): 0}),
        ),
        _jumps,
    ),
    Story(
        "map_in_map",
        (
            Step(PING, PASS, maps={("inner_icmp", 0): 1, ("inner_udp", 0): 0}),
            Step(UDP4, PASS, maps={("inner_icmp", 0): 1, ("inner_udp", 0): 1}),
            Step(Ether() / IP() / TCP(dport=80), PASS, maps={("inner_web", 0): 0}),
            Step(Ether() / IP() / TCP(dport=80), PASS, maps={("inner_web", 0): 1}, first=_inner),
            Step(Ether() / IP() / TCP(dport=81), PASS, maps={("inner_web", 0): 1}),
        ),
    ),
    Story(
        "lpm_firewall",
        (
            Step(
                Ether() / IP(src="192.0.2.1"), DROP, maps={("rules4", "192.0.2.0/24"): {"hits": 1}}
            ),
            Step(
                Ether() / IP(src="192.0.2.9"), PASS, maps={("rules4", "192.0.2.9/32"): {"hits": 1}}
            ),
            Step(Ether() / IP(src="198.51.100.1"), PASS),
            Step(UDP6, DROP, maps={("rules6", "2001:db8::/64"): {"hits": 1}}),
            Step(Ether() / IPv6(src="2001:db8:1::1"), PASS),
            Step(frame(UDP4)[:33], DROP),
            Step(frame(UDP6)[:53], DROP),
            Step(Ether() / ARP(), PASS),
        ),
        _rules,
    ),
    Story(
        "flow_table",
        (
            Step(
                to_port(80),
                PASS,
                maps={("flows", (*FLOW.values(), 17)): {"packets": 1, "bytes": 42}},
            ),
            Step(
                to_port(80) / Raw(b"ab"),
                PASS,
                maps={("flows", (*FLOW.values(), 17)): {"packets": 2, "bytes": 86}},
            ),
            Step(
                Ether() / IP() / TCP(sport=9, dport=80, flags="SA"),
                PASS,
                maps={
                    ("flows", (*FLOW.values(), 6)): {"packets": 1, "flags": 0x12, "established": 1}
                },
            ),
        ),
    ),
    Story(
        "perf_samples",
        (Step(UDP4, PASS, variables={"not_sent": 1}), Step(UDP4, PASS, variables={"not_sent": 2})),
    ),
    Story(
        "queue_and_stack",
        (
            Step(UDP4, PASS, variables={"last_ticket": 7}),
            Step(UDP4 / Raw(b"x"), PASS, variables={"last_ticket": 8}),
            Step(UDP4, DROP, variables={"last_ticket": 8}, then=_lengths),
        ),
        _tickets,
    ),
    Story(
        "bloom_seen",
        (
            Step(UDP4, PASS, variables={"new_sources": 1}),
            Step(PING, DROP, variables={"new_sources": 1}),
            Step(Ether() / IP(src="192.0.2.9"), PASS, variables={"new_sources": 2}),
        ),
    ),
    Story(
        "token_bucket",
        (
            *(Step(UDP4, PASS) for _ in range(3)),
            Step(UDP4, DROP, maps={("buckets", as_kept("192.0.2.1")): {"dropped": 1}}),
            Step(Ether() / IP(src="192.0.2.9"), PASS),
        ),
        constants={"burst": 3, "rate": 0},
    ),
    Story(
        "globals",
        (
            Step(
                to_port(53),
                DROP,
                then=_configured,
                variables={
                    "by_verdict": [0, 1, 0, 0, 0],
                    "bytes": 42,
                    "last_port": 53,
                    "balance": -2,
                },
            ),
            Step(to_port(54), PASS, variables={"by_verdict": [0, 1, 1, 0, 0], "last_port": 54}),
            Step(
                to_port(53),
                PASS,
                first=_off,
                variables={"by_verdict": [0, 1, 2, 0, 0], "balance": 0},
            ),
        ),
    ),
    Story(
        "globals",
        (Step(to_port(54), DROP, variables={"bytes": 0}), Step(to_port(53), PASS)),
        constants={"cfg": {"port": 54, "count_bytes": False, "protos": bytes([17, 17])}},
    ),
    Story(
        "core_vmlinux",
        (
            Step(Ether() / IP(ttl=4) / UDP(), DROP, maps={("protocols", 17): 1}),
            Step(
                Ether() / IP(ttl=5) / UDP(), PASS, maps={("protocols", 17): 2, ("protocols", 1): 0}
            ),
        ),
    ),
    Story(
        "broadcast_egress",
        (
            Step(Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(), REDIRECT, variables={"flooded": 1}),
            Step(PING, PASS, variables={"flooded": 1}),
            Step(Ether(dst="ff:ff:ff:ff:ff:fe") / ARP(), PASS, variables={"flooded": 1}),
        ),
    ),
]
