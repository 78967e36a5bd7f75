"""What lessons 07 and 08 say of time and of chance; to a reader, claim() only tells it."""

from __future__ import annotations

import numpy as np
import pytest

from labsetup import (
    IP,
    TCP,
    VIP,
    Balancer,
    Connections,
    Ether,
    NftIngress,
    Program,
    balanced,
    ecmp,
    no_balancer,
)
from labsetup.balancing.hashing import seed_of

KEY = (2024, 204)
SERVERS = ["s1", "s2", "s3", "s4"]


@pytest.mark.alone
def test_the_loop_grows_with_the_servers_and_the_table_does_not() -> None:
    net = balanced()
    mac = net.lb.eth0.packed_mac
    settings = Balancer(net, "lb_table", KEY).program["settings"][0]
    packet = Ether(dst=net.lb.eth0.mac) / IP(dst=VIP) / TCP(sport=40_000, dport=80)
    loop, table = Program("lb_rendezvous"), Program("lb_table")

    def ns(program: Program, servers: int) -> int:
        for place in range(servers):
            program["servers"][place] = {"seed": int(seed_of(f"s{place + 1}")), "mac": mac}
        program["settings"][0] = settings | {"servers": servers}
        if program is table:
            program["tables"][0] = {"rows": (np.arange(65_536) % servers).astype(np.uint16)}
        return min(int(program.run(packet, repeat=200_000).ns or 0) for _ in range(5))

    for _ in range(5):  # a neighbour's noise in one attempt may be repeated
        looped = {servers: ns(loop, servers) for servers in (4, 64)}
        looked = {servers: ns(table, servers) for servers in (4, 1024)}
        print(looped, looked)
        if looped[64] > 2 * looped[4] and looked[1024] < 1.3 * looked[4] < looped[64]:
            return
    pytest.fail(f"loop {looped}, table {looked}")


def test_regions_as_nft_cuts_them_without_rows() -> None:
    """As compare() takes out the last of five; one in the middle moves fewer borders."""
    five = balanced()
    for gone, share in (("s5", 0.5), ("s3", 0.3)):
        with NftIngress(five, rows=0) as way:
            connections = Connections(five, 400)
            way.use(*(name for name in five.vip_hosts if name != gone))
            assert connections.check().broken / 400 == pytest.approx(share, abs=0.12)


@pytest.mark.parametrize(
    "change",
    [
        [SERVERS, ["s1", "s2", "s4"]],
        [["s1", "s2", "s4"], SERVERS],
        [SERVERS, ["s2", "s1", "s3", "s4"]],
    ],
    ids=["drain", "add", "restart"],
)
def test_ecmp_alone_breaks_more_than_a_fifth_at_every_change(change: list[list[str]]) -> None:
    net = no_balancer()
    ecmp(net, change[0])
    connections = Connections(net, 300)
    ecmp(net, change[1])
    assert connections.check().broken > 60
