"""labsetup/service in the tests' sandbox: copied elsewhere, run by nobody with two capabilities."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import prometheus_client

from labsetup import VIP, LabError, Program
from labsetup.lessons.lesson_09_take_it_home.scene import APART, METRICS, NOBODY, PINS, PYTHON
from labsetup.network.network import Network
from labsetup.network.process import Background, Result
from labsetup.rivals.ways import PORT

from .host import REPO

FOLDER = REPO / "labsetup" / "service"
ALL = dict.fromkeys(["s1", "s2", "s3", "s4", "s5"], 1.0)
KEPT = {name: 1.0 for name in ALL if name != "s3"}
UDP_PORT = PORT


def missing() -> str:
    """What this machine lacks for it; empty where it has all."""
    if not Path("/usr/include/bpf/bpf_helpers.h").exists():
        return "libbpf's headers are not installed (libbpf-dev)"
    run = subprocess.run([*APART, PYTHON, "-V"], capture_output=True, check=False)
    return "" if run.returncode == 0 else f"nobody may not run {PYTHON}"


class Copy:
    """The folder somewhere else, with what it needs from the distribution, and built."""

    def __init__(self, into: Path, *edits: tuple[str, str, str]) -> None:
        """Copy it.

        Args:
            into: a folder that is not there yet.
            edits: of copies that are to be wrong: a file, what it says, and what instead.
        """
        self.path = into
        shutil.copytree(FOLDER, into, ignore=shutil.ignore_patterns("*.o", "__pycache__"))
        shutil.copytree(Path(prometheus_client.__file__).parent, into / "prometheus_client")
        for name, old, new in edits:
            text = (into / name).read_text()
            assert old in text
            (into / name).write_text(text.replace(old, new))
        self.build()

    def build(self) -> None:
        """Compile the program."""
        subprocess.run(["make", "-sB"], cwd=self.path, check=True, timeout=60)


class Service:
    """A copy that runs on lb, and is told what to do."""

    def __init__(self, net: Network, copy: Copy) -> None:
        self.net, self._copy = net, copy
        self.file = copy.path / "balancer.toml"
        self.process: Background | None = None
        self._helper = Program("xdp_pass")
        self._helper.attach(net.lb.eth0.peer, helper=False)

    def write(self, weights: Mapping[str, float], more: str = "", probe: str = "none") -> None:
        """The file, in one step; a server that has no weight here is not in it."""
        text = f'interface = "eth0"\nmetrics = "{METRICS}"\ninterval = 0.1\n{more}\n'
        for protocol, port in (("tcp", 80), ("udp", UDP_PORT)):
            text += f'[[service]]\nvip = "{VIP}"\nport = {port}\nprotocol = "{protocol}"\n'
            text += f'probe = "{probe if protocol == "tcp" else "none"}"\n[service.servers]\n'
            for name, weight in weights.items():
                address = self.net.hosts[name].address
                text += f'{name} = {{ address = "{address}", weight = {weight} }}\n'
        new = self.file.with_suffix(".new")
        new.write_text(text)
        new.replace(self.file)

    def _command(self, verb: str, apart: list[str]) -> list[str]:
        return [*apart, PYTHON, "-B", str(self._copy.path / "balancer.py"), verb, str(self.file)]

    def start(self, wait: bool = True, apart: list[str] = APART) -> Background:
        """Start the control plane, as systemd would."""
        if not PINS.exists():
            PINS.mkdir(0o700)
            os.chown(PINS, NOBODY, NOBODY)
        self.process = self.net.lb.start(self._command("run", apart))
        if wait:
            self.process.wait_for("balancing on")
        return self.process

    def run(self, verb: str) -> Result:
        """One of the other verbs, as root types it."""
        return self.net.lb.run(self._command(verb, []))

    def tell(self, number: signal.Signals, says: str) -> str:
        """Send a signal, and wait for what is said then."""
        assert self.process
        before = self.process.output.count(f"{says}: ")
        os.kill(self.process.pid, number)
        until(lambda: bool(self.process and self.process.output.count(f"{says}: ") > before))
        return self.process.output.splitlines()[-1]

    def reload(self) -> str:
        """SIGHUP."""
        return self.tell(signal.SIGHUP, "reload")

    def upgrade(self) -> str:
        """SIGUSR1."""
        return self.tell(signal.SIGUSR1, "upgrade")

    def end(self) -> None:
        """SIGTERM; the data plane goes on."""
        if self.process and self.process.running:
            os.kill(self.process.pid, signal.SIGTERM)
            until(lambda: bool(self.process and not self.process.running))

    def down(self) -> None:
        """End all, and leave nothing."""
        if self.process:
            self.process.kill()
        if PINS.exists():
            said = self.run("down")
            assert said.status == 0, said
        self._helper.detach()
        assert self.net.lb.eth0.xdp is None

    def metrics(self) -> dict[str, float]:
        """Those of the balancer, by name and labels without their names: packets_total s1 tcp."""
        with self.net.lb.inside(), urllib.request.urlopen(f"http://{METRICS}/", timeout=5) as page:
            lines = page.read().decode().splitlines()
        found = {}
        for line in lines:
            if line.startswith("balancer_"):
                name, _, value = line.removeprefix("balancer_").rpartition(" ")
                labels = re.findall(r'"([^"]*)"', name)
                short = [name.split("{")[0], *(label.rpartition("/")[2] for label in labels)]
                found[" ".join(short)] = float(value)
        return found


@contextlib.contextmanager
def running(net: Network, copy: Copy, weights: Mapping[str, float]) -> Iterator[Service]:
    """A service that has begun with these servers, and leaves nothing."""
    service = Service(net, copy)
    try:
        service.write(weights)
        service.start()
        yield service
    finally:
        service.down()


def until(true, limit: float = 10) -> None:
    """Wait for something."""
    begun = time.monotonic()
    while not true():
        if time.monotonic() - begun > limit:
            raise LabError(f"after {limit:g} s it is not so")
        time.sleep(0.001)  # polls


def checksum(words: bytes) -> int:
    """RFC 1071."""
    total = sum(int.from_bytes(words[i : i + 2], "big") for i in range(0, len(words), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def udp_frame(net: Network, flow: int, number: int) -> bytes:
    """Datagram `number` of a flow for the VIP; a UDP checksum of 0 is none (RFC 768)."""
    payload = number.to_bytes(18, "big")
    ip = bytes.fromhex("4500") + (28 + len(payload)).to_bytes(2, "big")
    ip += bytes(4) + bytes((64, 17)) + bytes(2)
    ip += socket.inet_aton(net.client.address) + socket.inet_aton(VIP)
    ip = ip[:10] + checksum(ip).to_bytes(2, "big") + ip[12:]
    udp = b"".join(n.to_bytes(2, "big") for n in (flow, UDP_PORT, 8 + len(payload), 0))
    return net.lb.eth0.packed_mac + net.client.eth0.packed_mac + b"\x08\x00" + ip + udp + payload
