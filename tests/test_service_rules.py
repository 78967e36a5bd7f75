"""The balancer that runs without the lab: what it may do, whom it takes for well, what it says."""

from __future__ import annotations

import os
import random
import signal
import socket
import socketserver
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.service import ALL, APART, NOBODY, PINS, PYTHON, Copy, Service, missing, running, until

from labsetup import VIP, Connections, balanced, services
from labsetup.balancing.vip_paths import MARK, VipPaths
from labsetup.lessons.lesson_09_take_it_home.scene import home
from labsetup.network.network import Network

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")
CAP_NET_ADMIN, CAP_BPF = 12, 39  # linux/capability.h
QUICK = "threshold = 2"


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    network = balanced(5, ipv6=True)
    yield network
    network.close()


@pytest.fixture(scope="module")
def copy() -> Iterator[Copy]:
    with tempfile.TemporaryDirectory(dir=home()) as made:
        os.chmod(made, 0o755)
        yield Copy(Path(made) / "copy")


@pytest.fixture
def service(net: Network, copy: Copy) -> Iterator[Service]:
    with running(net, copy, ALL) as one:
        yield one


def test_it_is_nobody_with_two_capabilities(service: Service) -> None:
    assert service.process
    status = Path(f"/proc/{service.process.pid}/status").read_text().splitlines()
    said = dict(line.split(":\t", 1) for line in status)
    assert set(said["Uid"].split()) == set(said["Gid"].split()) == {str(NOBODY)}
    for which in ("CapEff", "CapPrm", "CapBnd"):
        assert int(said[which], 16) == 1 << CAP_NET_ADMIN | 1 << CAP_BPF
    assert said["NoNewPrivs"] == "1"
    assert Connections(service.net, 100).broken == 0


@pytest.mark.parametrize("left_out", ["bpf", "net_admin"])
def test_neither_capability_can_go(net: Network, copy: Copy, left_out: str) -> None:
    service = Service(net, copy)
    try:
        service.write(ALL)
        less = [word.replace(f",+{left_out}", "") for word in APART]
        process = service.start(wait=False, apart=less)
        until(lambda: not process.running)
        assert "balancer.py run: " in process.output and "CAP_BPF, CAP_NET_ADMIN" in process.output
        assert "Traceback" not in process.output and net.lb.eth0.xdp is None
    finally:
        service.down()


def test_a_server_that_does_not_answer_is_out_until_it_does(service: Service) -> None:
    net = service.net
    connections = Connections(net, 100)
    service.write(ALL, QUICK, probe="tcp:80")
    service.reload()
    services(net)["s3"].stop()
    until(lambda: service.metrics()["server_state s3 tcp"] == 0)
    assert "s3" not in {*Connections(net, 60, afresh=False).at}
    assert service.process and "s3 of 198.51.100.10:80/tcp is out" in service.process.output
    # Killed and started again, it has not forgotten who is ill.
    service.process.kill()
    service.start()
    assert service.metrics()["server_state s3 tcp"] == 0
    services(net)["s3"].start()
    until(lambda: service.metrics()["server_state s3 tcp"] == 2)
    connections.check()
    assert set(connections.at[~connections.alive]) == {"s3"}


def test_too_few_are_well_and_all_are_used(service: Service) -> None:
    net = service.net
    Connections(net, 5)
    service.write(ALL, QUICK + "\npanic = 0.6", probe="tcp:80")
    service.reload()

    def states() -> list[float]:
        found = service.metrics()
        return [found[f"server_state {name} tcp"] for name in ALL]

    for name in ("s1", "s2"):
        services(net)[name].stop()
    until(lambda: states() == [0, 0, 2, 2, 2])  # 3 of 5
    services(net)["s3"].stop()
    until(lambda: states() == [2] * 5)
    for one in services(net).values():
        one.start()


def test_a_probe_at_the_vip_sees_a_server_that_lost_it(service: Service) -> None:
    net = service.net
    Connections(net, 5)
    paths = VipPaths(net)
    try:
        service.write(ALL, QUICK, probe="tcp:80")
        text = service.file.read_text()
        for place, name in enumerate(ALL):
            address = f'"{net.hosts[name].address}"'
            text = text.replace(address, f"{address}, mark = {MARK + place}")
        service.file.write_text(text)
        service.reload()
        net.s2.run(f"ip address del {VIP}/32 dev lo")
        try:
            until(lambda: service.metrics()["server_state s2 tcp"] == 0)
        finally:
            net.s2.run(f"ip address add {VIP}/32 dev lo")
        until(lambda: service.metrics()["server_state s2 tcp"] == 2)
    finally:
        paths.close()


def test_a_file_that_is_wrong_changes_nothing(service: Service) -> None:
    connections = Connections(service.net, 50)
    service.file.write_text("interface = 1")
    assert service.reload().startswith("reload: ")
    assert service.process and "Traceback" not in service.process.output
    service.write(ALL)
    service.file.write_text(service.file.read_text().replace('"eth0"', '"eth1"'))
    assert "interface cannot change in a reload" in service.reload()
    assert service.metrics()["acts_total reload badly"] == 2
    assert connections.check().broken == 0
    service.write(ALL)
    assert service.reload() == "reload: done"


def test_it_ends_and_packets_go_on(service: Service) -> None:
    connections = Connections(service.net, 100)
    program = service.net.lb.eth0.xdp
    service.end()
    assert connections.check().broken == 0
    assert Connections(service.net, 50, afresh=False).broken == 0
    assert service.run("upgrade").status == 0  # nobody runs, and it goes all the same
    assert service.net.lb.eth0.xdp != program
    assert connections.check().broken == 0
    service.start()
    assert connections.check().broken == 0


def test_two_of_them_and_no_down_while_one_runs(service: Service) -> None:
    said = service.run("run")
    assert said.status == 1 and "another balancer.py holds" in said.output
    said = service.run("down")
    assert said.status == 1 and "stop it first" in said.output
    service.end()
    assert service.run("down").status == 0
    assert service.net.lb.eth0.xdp is None and not PINS.exists()
    assert "start balancer.py first" in service.run("upgrade").output
    assert "there is nothing in" in service.run("down").output


def test_an_interface_that_another_program_has(service: Service) -> None:
    service.end()
    service.run("down")
    from labsetup import Program

    other = Program("xdp_pass")
    other.attach(service.net.lb.eth0, helper=False)
    try:
        said = service.run("run")
        assert said.status == 1 and "has an XDP program already" in said.output
    finally:
        other.detach()
        service.run("down")


def test_killed_while_it_starts_for_the_first_time(net: Network, copy: Copy) -> None:
    chance = random.Random(3)
    service = Service(net, copy)
    service.write(ALL)
    try:
        for _ in range(6):
            process = service.start(wait=False)
            time.sleep(chance.uniform(0.05, 0.25))
            process.kill()
            service.start()
            assert Connections(net, 20).broken == 0
            service.end()
            assert service.run("down").status == 0
    finally:
        service.down()


WITH_SUBTRACTION = (  # of pointers, which takes CAP_PERFMON
    "bpf_xdp_get_buff_len(ctx)",
    "(void *)(long)ctx->data_end - (void *)(long)ctx->data",
)


@pytest.mark.parametrize("change", [WITH_SUBTRACTION, ("#define SERVERS 64", "#define SERVERS 32")])
def test_a_program_that_is_refused_changes_nothing(
    service: Service, copy: Copy, change: tuple[str, str]
) -> None:
    """One that the verifier refuses, and one whose maps are other than those that are pinned."""
    before = service.net.lb.eth0.xdp
    connections = Connections(service.net, 50)
    kept = {name: (copy.path / name).read_text() for name in ("balancer.bpf.c", "maps.h")}
    try:
        for name, text in kept.items():
            (copy.path / name).write_text(text.replace(*change))
        copy.build()
        said = service.upgrade()
        assert "was not taken" in said and "the old program runs on" in said
    finally:
        for name, text in kept.items():
            (copy.path / name).write_text(text)
        copy.build()
    assert service.net.lb.eth0.xdp == before and len(os.listdir(PINS)) == 6
    assert connections.check().broken == 0
    assert service.upgrade() == "upgrade: done"
    assert connections.check().broken == 0


def test_a_link_whose_interface_is_gone_is_made_anew(service: Service, copy: Copy) -> None:
    service.end()
    script = f"import bpf; bpf.detach(bpf.pinned('{PINS}/link'))"  # as when the interface goes
    said = service.net.lb.run(["env", f"PYTHONPATH={copy.path}", PYTHON, "-B", "-c", script])
    assert said.status == 0 and service.net.lb.eth0.xdp is None
    service.start()
    assert Connections(service.net, 50).broken == 0


@contextmanager
def http(net: Network, answers: dict[str, bytes]) -> Iterator[None]:
    """On each server somebody who answers a GET so, at port 8080."""
    made = []
    for name, answer in answers.items():

        class Answers(socketserver.StreamRequestHandler):
            said = answer

            def handle(self) -> None:
                if self.rfile.readline().startswith(b"GET /health HTTP"):
                    self.wfile.write(b"HTTP/1.1 " + self.said + b"\r\n\r\n")

        with net.hosts[name].inside():
            made.append(socketserver.ThreadingTCPServer(("", 8080), Answers))
        threading.Thread(target=made[-1].serve_forever, args=(0.05,)).start()
    yield
    for one in made:
        one.shutdown()
        one.server_close()


def test_an_answer_that_is_not_the_right_one(service: Service) -> None:
    answers = dict.fromkeys(ALL, b"200 OK") | {"s2": b"302 Found", "s3": b"503 Unavailable"}
    with http(service.net, answers):
        service.write(ALL, QUICK, probe="http:8080/health")
        service.reload()
        until(lambda: service.metrics()["server_state s3 tcp"] == 0)
        time.sleep(0.5)  # some more rounds, in which the others stay
        found = service.metrics()
    assert [found[f"server_state {name} tcp"] for name in ALL] == [2, 2, 0, 2, 2]
    assert found["failed_probes_total s3 tcp"] >= 2 and not found["failed_probes_total s2 tcp"]


def test_what_is_missing_is_said(net: Network, copy: Copy) -> None:
    service = Service(net, copy)
    service.write(ALL)
    text = service.file.read_text()
    program = copy.path / "balancer.bpf.o"
    built = program.read_bytes()
    try:
        for wrong, said in {
            text.replace('"eth0"', '"eth7"'): "there is no interface eth7; type: ip link",
            text.replace("127.0.0.1:9435", "192.0.2.99:9435"): "metrics cannot be at 192.0.2.99",
            "": "has no service",
        }.items():
            service.file.write_text(wrong)
            run = service.run("run")
            assert run.status == 1 and said in run.output and "Traceback" not in run.output
        service.write(ALL)
        program.write_bytes(built[:1000])
        assert service.run("run").status == 1
        program.unlink()
        assert "type: make -C" in service.run("run").output
        assert net.lb.eth0.xdp is None
    finally:
        program.write_bytes(built)
        service.down()
    assert "balancer.py upgrade" in service.run("").output


def test_systemd_is_told_when_it_is_ready(service: Service, copy: Copy, tmp_path: Path) -> None:
    service.end()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(copy.path / "notify"))
    os.chmod(copy.path / "notify", 0o777)
    listener.settimeout(10)
    with listener:
        service.start(apart=["env", f"NOTIFY_SOCKET={copy.path / 'notify'}", *APART])
        assert listener.recv(100) == b"READY=1"


def test_a_signal_that_kills_systemds_way(service: Service) -> None:
    assert service.process
    os.kill(service.process.pid, signal.SIGTERM)
    until(lambda: bool(service.process and not service.process.running))
    assert service.process.stop().status == 0 and "Traceback" not in service.process.output
