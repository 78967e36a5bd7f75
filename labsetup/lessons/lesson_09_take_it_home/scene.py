"""labsetup/service on lb: in a folder of its own, as a user who is not root."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import prometheus_client

from ...arguments import checked
from ...errors import LabError
from ...network import sandbox
from ...network.network import Network
from ...network.process import Background
from ...network.topologies import VIP
from ...programs.program import Program

SERVICE = Path(__file__).parents[2] / "service"
HOME = Path("/sys/fs/bpf/services")  # the sandbox's own bpffs, on which a folder can be mounted
PINS = Path("/sys/fs/bpf/xdp-balancer")
NOBODY, POWER = 65534, "-all,+bpf,+net_admin"
APART = [
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"),
    *(f"--{which}={POWER}" for which in ("inh-caps", "ambient-caps", "bounding-set")),
]
METRICS = "127.0.0.1:9435"
# The one that the lab's came of: a venv's may lie in somebody's home, where nobody may not look.
PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
PATIENCE = 20.0  # seconds for what takes a fraction of one
CAPABILITIES = {12: "CAP_NET_ADMIN", 38: "CAP_PERFMON", 39: "CAP_BPF"}  # linux/capability.h


class StandAlone:
    """The balancer that runs without the lab, on lb.

    Attributes:
        folder: the copy of labsetup/service that it runs from, built by make.
    """

    @checked
    def __init__(self, net: Network) -> None:
        """Copy it, and build it; nothing runs yet.

        Args:
            net: what `balanced` gives.

        Raises:
            LabError: if it cannot be built here.
        """
        self._net = net
        self.folder = Path(tempfile.mkdtemp(dir=home()))
        self.folder.chmod(0o755)
        skipped = shutil.ignore_patterns("*.o", "__pycache__", "README.md")
        shutil.copytree(SERVICE, self.folder, ignore=skipped, dirs_exist_ok=True)
        # Of the distribution elsewhere; here the lab's own, which nobody may not look into.
        shutil.copytree(Path(prometheus_client.__file__).parent, self.folder / "prometheus_client")
        made = net.lb.run(["make", "-sC", str(self.folder)], timeout=60)
        if made.status:
            raise LabError(f"the balancer was not built: {made.output.strip()[-300:]}")
        self._process: Background | None = None
        self._acts = 0
        self._helper = Program("xdp_pass")
        self._servers: dict[str, float] = dict.fromkeys(net.vip_hosts, 1.0)

    @property
    def settings(self) -> str:
        """balancer.toml, of which the service does what it says."""
        lines = ['interface = "eth0"', f'metrics = "{METRICS}"', ""]
        lines += ["[[service]]", f'vip = "{VIP}"', "port = 80", 'protocol = "tcp"']
        lines += ['probe = "tcp:80"', "[service.servers]"]
        for name, weight in self._servers.items():
            address = self._net.hosts[name].address
            lines.append(f'{name} = {{ address = "{address}", weight = {weight:g} }}')
        return "\n".join(lines)

    def _use(self, *servers: str, **weights: float) -> None:
        unknown = {*servers, *weights} - {*self._net.vip_hosts}
        if unknown:
            has = ", ".join(self._net.vip_hosts)
            raise LabError(f"there is no server {min(unknown)}; there are {has}")
        self._servers = dict.fromkeys(servers or self._net.vip_hosts, 1.0) | weights
        new = self.folder / "balancer.new"
        new.write_text(self.settings + "\n")
        new.replace(self.folder / "balancer.toml")

    def start(self, *servers: str, **weights: float) -> StandAlone:
        """Start the control plane; without arguments with what balancer.toml says already.

        Args:
            servers: names, each with the weight 1.
            weights: by name; 0 gets nothing new.
        """
        if self.running:
            raise LabError("it runs already; reload() has it read balancer.toml again")
        if servers or weights or self._process is None:
            self._use(*servers, **weights)
        if not PINS.exists():  # what its unit does as root, before
            PINS.mkdir(0o700)
            os.chown(PINS, NOBODY, NOBODY)
        peer = self._net.lb.eth0.peer
        if peer.xdp is None:
            self._helper.attach(peer, helper=False)  # veth takes back XDP's frames only so
        self._process = self._net.lb.start([*APART, *self._command("run")])
        self._acts = 0
        self._process.wait_for("balancing on", timeout=PATIENCE)
        return self

    def _command(self, verb: str) -> list[str]:
        where = str(self.folder / "balancer.py"), verb, str(self.folder / "balancer.toml")
        return [PYTHON, "-B", *where]

    @property
    def running(self) -> bool:
        """Whether the control plane runs."""
        return self._process is not None and self._process.running

    def reload(self, *servers: str, **weights: float) -> str:
        """Write balancer.toml, and have it read (SIGHUP); the arguments are those of `start`."""
        self._use(*servers, **weights)
        return self._tell(signal.SIGHUP, "reload")

    def upgrade(self) -> str:
        """Put a new copy of the program in the place of the one that runs (SIGUSR1)."""
        return self._tell(signal.SIGUSR1, "upgrade")

    def _tell(self, number: signal.Signals, act: str) -> str:
        if self._process is None or not self._process.running:
            raise LabError("the control plane does not run; start() starts it")
        process = self._process
        before = process.output.count(f"{act}: ")
        os.kill(process.pid, number)
        _until(lambda: process.output.count(f"{act}: ") > before, act)
        return [line for line in process.output.splitlines() if line.startswith(f"{act}: ")][-1]

    def kill(self) -> None:
        """End the control plane in the middle of whatever it does (SIGKILL)."""
        if self._process is not None:
            self._process.kill()

    def down(self) -> None:
        """End the control plane, take the program off, and all that is pinned."""
        self.kill()
        if PINS.exists():
            self._net.lb.run(self._command("down"), timeout=PATIENCE)
        self._helper.detach()

    @property
    def power(self) -> str:
        """Whose process the control plane is, and what that may do."""
        if not self.running or self._process is None:
            return "no control plane runs"
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        user = re.findall(r"^Uid:\s+(\d+)", status, re.MULTILINE)[0]
        mask = int(re.findall(r"^CapEff:\s+(\w+)", status, re.MULTILINE)[0], 16)
        held = [CAPABILITIES.get(n, f"capability {n}") for n in range(64) if mask >> n & 1]
        return f"user {user}, {' and '.join(held) or 'no capability'}"

    def metrics(self) -> dict[str, float]:
        """What Prometheus would read, by name and the last part of each label."""
        try:
            with (
                self._net.lb.inside(),
                urllib.request.urlopen(f"http://{METRICS}/", timeout=5) as page,
            ):
                text = page.read().decode()
        except OSError:
            raise LabError("nobody answers at the metrics; start() starts the service") from None
        return dict(_readings(text))

    def packets(self) -> dict[str, int]:
        """Packets that the program has sent on, by server."""
        found = self.metrics()
        return {name: int(found.get(f"packets_total {name}", 0)) for name in self._servers}

    def __repr__(self) -> str:
        xdp = self._net.lb.eth0.xdp
        runs = "the control plane runs" if self.running else "no control plane runs"
        return f"{runs}; {'the program is on lb eth0' if xdp else 'no program is on lb eth0'}"


def home() -> Path:
    """A folder that every user can look into, and that is gone with this process: in memory."""
    if not HOME.exists():
        HOME.mkdir()
        sandbox.mount("tmpfs", str(HOME), "tmpfs")
    return HOME


def _readings(text: str) -> Iterator[tuple[str, float]]:
    for line in text.splitlines():
        if line.startswith("balancer_"):
            name, _, value = line.removeprefix("balancer_").rpartition(" ")
            labels = re.findall(r'(\w+)="([^"]*)"', name)
            own = [label for key, label in labels if key != "service"]
            yield " ".join([name.split("{")[0], *own]), float(value)


def _until(is_so: Callable[[], bool], act: str) -> None:
    begun = time.monotonic()
    while not is_so():
        if time.monotonic() - begun > PATIENCE:
            raise LabError(f"after {PATIENCE:g} s there is no word of the {act}; start it anew")
        time.sleep(0.005)  # its words come through a pipe, which nobody announces
