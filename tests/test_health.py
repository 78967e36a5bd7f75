"""Health checks: whom they ask, what they take for an answer, and when they rather do nothing."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from labsetup import (
    VIP,
    Balancer,
    Bgp,
    Connections,
    HealthChecks,
    LabError,
    Peers,
    balanced,
    no_balancer,
    services,
)
from labsetup.balancing.service import in_background
from labsetup.balancing.vip_paths import VipPaths
from labsetup.network.network import Network
from labsetup.routing.by_hand import ByHand

KEY = (2024, 204)
ALL = ["s1", "s2", "s3", "s4", "s5"]
GET = b"GET / HTTP/1.0\r\n\r\n"
QUICK = 0.15  # seconds from check to check: enough for an answer on a busy machine


@pytest.fixture
def net() -> Iterator[Network]:
    network = balanced()
    yield network
    network.close()


@pytest.fixture
def lb(net: Network) -> Balancer:
    return Balancer(net, "lb_table", KEY)


def until(true: Callable[[], bool], limit: float = 8) -> None:
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)  # polls


@contextlib.contextmanager
def http(net: Network, answers: dict[str, bytes]) -> Iterator[None]:
    """Servers that wait for a request and answer it with a line of their own."""
    made = []
    for name, answer in answers.items():

        async def serve(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes = answer
        ) -> None:
            with contextlib.suppress(OSError):
                if await reader.readline():
                    writer.write(b"HTTP/1.0 " + answer[:4])
                    await asyncio.sleep(0.01)  # in two pieces
                    writer.write(answer[4:] + b"\r\n\r\n")
                writer.close()

        with net.hosts[name].inside():
            listener = socket.create_server(("", 80))
        made.append(in_background(asyncio.start_server(serve, sock=listener)).result(5))
    yield
    for server in made:
        server.get_loop().call_soon_threadsafe(server.close)


def several_rounds(checks: HealthChecks) -> None:
    """Long enough that a check that fails would have had its effect."""
    time.sleep(6 * QUICK)
    assert not checks.errors


def test_servers_that_wait_for_the_client_to_speak_are_well(net: Network, lb: Balancer) -> None:
    with http(net, dict.fromkeys(ALL, b"200 OK")):
        with HealthChecks(lb, interval=QUICK) as checks:
            several_rounds(checks)
        assert lb.servers == ALL
        with HealthChecks(lb, interval=QUICK, send=GET, expect=b" 200 ") as checks:
            several_rounds(checks)
    assert lb.servers == ALL
    assert repr(checks) == "every server has been well so far"


def test_an_answer_that_is_not_the_right_one(net: Network, lb: Balancer) -> None:
    answers = dict.fromkeys(ALL, b"200 OK") | {"s3": b"503 Service Unavailable"}
    with http(net, answers), HealthChecks(lb, interval=QUICK, send=GET, expect=b" 200 ") as checks:
        until(lambda: lb.servers == ["s1", "s2", "s4", "s5"])
    assert repr(checks) == "s3 is out"
    assert lb.program["servers"][2]["mac"] == bytes(6)  # not even for remembered flows


@pytest.mark.parametrize("family", ["4", "6"])
def test_a_server_that_lost_the_vip_is_ill(family: str) -> None:
    net = balanced(ipv6=family == "6")
    lb = Balancer(net, "lb_table", KEY)
    Connections(net, 5)
    before = rules(net)
    with HealthChecks(lb, interval=QUICK):
        net.s2.run(f"ip address del {VIP}/32 dev lo")
        until(lambda: "s2" not in lb.servers)
        net.s2.run(f"ip address add {VIP}/32 dev lo")
        until(lambda: lb.servers == ALL)
    assert rules(net) == before


def rules(net: Network) -> str:
    return net.lb.run("ip rule").output + net.lb.run("ip route show table all").output


def test_checks_ask_each_server_and_leave_no_connection(net: Network, lb: Balancer) -> None:
    Connections(net, 5).close()
    asked = {name: net.hosts[name].eth0.counters for name in ALL}
    with HealthChecks(lb, interval=QUICK) as checks:
        several_rounds(checks)
    for name in ALL:
        assert (net.hosts[name].eth0.counters - asked[name])["rx_packets"] >= 6
    until(lambda: not any(one.connections for one in services(net).values()))


@pytest.mark.parametrize("panic", [0.5, 0])
def test_nobody_is_well_and_all_are_used(net: Network, lb: Balancer, panic: float) -> None:
    with HealthChecks(lb, interval=QUICK, panic=panic) as checks:  # no service runs
        until(lambda: len(checks.events) == 5)
        assert lb.servers == ALL
        few = f", fewer than the panic threshold of {panic:.0%}" if panic else ""
        assert f"0 of 5 are well{few}: all of them are used" in repr(checks)
        assert Connections(net, 20).broken == 0  # which start the services
        until(lambda: len(checks.events) == 10)
        assert not checks.panicking
    assert "panic" not in repr(checks)


def test_below_the_threshold_all_are_used(net: Network, lb: Balancer) -> None:
    Connections(net, 1)
    with HealthChecks(lb, interval=QUICK, panic=0.7) as checks:
        services(net)["s1"].stop()
        until(lambda: lb.servers == ALL[1:])  # 4 of 5
        services(net)["s2"].stop()
        until(lambda: lb.servers == ALL)  # 3 of 5
        assert "3 of 5 are well" in repr(checks)
        services(net)["s1"].start()
        until(lambda: lb.servers == ["s1", "s3", "s4", "s5"])


def test_with_no_threshold_the_last_server_stays(net: Network, lb: Balancer) -> None:
    Connections(net, 1)
    lb.use("s1", "s2")
    with HealthChecks(lb, interval=QUICK, panic=0) as checks:
        services(net)["s1"].stop()
        until(lambda: lb.servers == ["s2"])
        services(net)["s2"].stop()
        until(lambda: lb.servers == ["s1", "s2"])
        assert checks.panicking


def test_the_threshold_is_a_share_of_those_that_are_named(net: Network, lb: Balancer) -> None:
    Connections(net, 1)
    with HealthChecks(lb, interval=QUICK) as checks:
        services(net)["s1"].stop()
        services(net)["s2"].stop()
        until(lambda: lb.servers == ALL[2:])  # 3 of 5
        lb.use("s1", "s2", "s3")
        assert lb.servers == ["s1", "s2", "s3"]
        said = "1 of 3 are well, fewer than the panic threshold of 50%: all of them are used"
        assert said in repr(checks)
        lb.use("s1")
        assert lb.servers == ["s1"]  # ill as it is: there is no other
        assert Connections(net, 10, port=81).broken == 0
        lb.use("s1", "s3")
        assert lb.servers == ["s3"]
        assert "panic" not in repr(checks)
        lb.use()
        assert lb.servers == [] and "panic" not in repr(checks)


def test_new_checks_ask_whom_the_old_ones_left_out_anew(net: Network, lb: Balancer) -> None:
    Connections(net, 1)
    with HealthChecks(lb, interval=QUICK):
        services(net)["s3"].stop()
        until(lambda: lb.servers == ["s1", "s2", "s4", "s5"])
    services(net)["s3"].start()
    with HealthChecks(lb, interval=QUICK) as checks:
        several_rounds(checks)
        assert lb.servers == ALL and not checks.events


def test_who_is_ill_stays_out_whoever_is_named(net: Network, lb: Balancer) -> None:
    """The reader's use() and the checks do not overrule each other, and weights live through."""
    Connections(net, 1)
    lb.use(s1=3, s2=1, s3=1)
    with HealthChecks(lb, interval=QUICK):
        services(net)["s3"].stop()
        until(lambda: lb.servers == ["s1", "s2"])
        assert lb.share("s1") == pytest.approx(3 / 4, abs=0.01)
        lb.use("s2", "s3", "s4")
        assert lb.servers == ["s2", "s4"]
        services(net)["s3"].start()
        until(lambda: lb.servers == ["s2", "s3", "s4"])
        services(net)["s3"].stop()
        until(lambda: lb.servers == ["s2", "s4"])
    assert lb.servers == ["s2", "s4"]  # as it was when they ended
    lb.use("s3")
    assert lb.servers == ["s3"]


def test_a_probe_of_ones_own(net: Network, lb: Balancer) -> None:
    ill = {"s4"}

    def probe(server: str) -> bool:
        if server == "s5":
            raise KeyError("of a colleague's")
        return server not in ill

    with HealthChecks(lb, interval=QUICK, probe=probe) as checks:
        until(lambda: lb.servers == ["s1", "s2", "s3"])
        ill.clear()
        until(lambda: lb.servers == ["s1", "s2", "s3", "s4"])
    (error,) = checks.errors  # said once
    assert error.startswith("the probe of s5 failed: KeyError") and error in repr(checks)


def test_new_checks_end_the_old_ones(net: Network, lb: Balancer) -> None:
    Connections(net, 1)
    old = HealthChecks(lb, interval=QUICK)
    with HealthChecks(lb, interval=QUICK):
        services(net)["s3"].stop()
        until(lambda: "s3" not in lb.servers)
    assert not old.events


def test_one_can_wait_for_them(net: Network, lb: Balancer) -> None:
    Connections(net, 1)
    with HealthChecks(lb, interval=QUICK) as checks:
        services(net)["s3"].stop()
        assert checks.wait("s3") < 8
        assert "s3" not in lb.servers
        with pytest.raises(LabError, match=r"after 0\.2 s s3 is known to be ill, and not nobody"):
            checks.wait(timeout=0.2)
        with pytest.raises(LabError, match="there is no server s9; there are: s1"):
            checks.wait("s9")
        services(net)["s3"].start()
        checks.wait()
    assert lb.servers == ALL


def test_rules_that_an_interrupted_check_left_are_no_hindrance(net: Network, lb: Balancer) -> None:
    Connections(net, 1)
    before = rules(net)
    VipPaths(net)
    with HealthChecks(lb, interval=QUICK) as checks:
        net.lb.run("ip route flush table 28928")  # as when lb's cable is pulled
        several_rounds(checks)
    assert rules(net) == before


def test_what_checks_do_not_take(lb: Balancer) -> None:
    with pytest.raises(LabError, match="panic, a share such as"):
        HealthChecks(lb, panic=50)
    with pytest.raises(LabError, match="takes bytes as send"):
        HealthChecks(lb, send="GET /")  # type: ignore[arg-type]  # the mistake that is answered
    assert not lb.watched


@pytest.fixture
def shared() -> Iterator[tuple[Network, Peers]]:
    network = no_balancer()
    peers = Peers(network, "second_chance", KEY)
    yield network, peers
    network.close()


def told(peers: Peers) -> list[list[str]]:
    return [one.servers for one in peers.values()]


def who_answers(net: Network) -> str:
    """As a client sees it; `Connections` would start the service that does not run."""
    with net.client.inside(), socket.create_connection((VIP, 80), timeout=2) as one:
        return one.recv(100).decode().strip()


@pytest.mark.skipif(not shutil.which("bird"), reason="BIRD is not installed (bird2)")
def test_a_service_that_dies_takes_its_route_along(shared: tuple[Network, Peers]) -> None:
    """The server and its BIRD live: BGP by itself would go on sending to it."""
    net, peers = shared
    bgp = Bgp(net)
    connections = Connections(net, 60)
    with HealthChecks(peers, interval=QUICK, routes=bgp) as checks:
        services(net)["s3"].stop()
        until(lambda: net.s3.address not in bgp.routes and len(checks.events) == 1)
        assert told(peers) == [["s1", "s2", "s4"]] * 4
        assert {who_answers(net) for _ in range(30)} == {"s1", "s2", "s4"}
        services(net)["s3"].start()
        until(lambda: net.s3.address in bgp.routes)
        connections.check()
    assert set(connections.at[~connections.alive]) == {"s3"}
    assert not checks.errors


def test_a_server_without_the_vip_takes_its_next_hop_along(shared: tuple[Network, Peers]) -> None:
    net, peers = shared
    routes = ByHand(net)
    Connections(net, 5)
    with HealthChecks(peers, interval=QUICK, routes=routes) as checks:
        net.s1.run(f"ip address del {VIP}/32 dev lo")
        until(lambda: routes.announcing == {"s2", "s3", "s4"})
        assert told(peers) == [["s2", "s3", "s4"]] * 4
        net.s1.run(f"ip address add {VIP}/32 dev lo")
        until(lambda: routes.announcing == {"s1", "s2", "s3", "s4"})
        for one in services(net).values():
            one.stop()
        until(lambda: checks.panicking and len(checks.events) == 6)
        assert len(routes.announcing) == 4  # nobody takes the last one along
        assert "0 of 4 are well" in repr(checks)
    assert not checks.errors
