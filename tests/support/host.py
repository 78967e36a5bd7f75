"""The host around the sandbox in which the tests run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

REPO = Path(__file__).parent.parent.parent
LAB = REPO / "labsetup" / "lab"
NOTEBOOKS = sorted((REPO / "notebooks").glob("*.ipynb"))

HOST = [os.open(path, os.O_RDONLY) for path in ("/proc/self/ns/net", "/proc/self/ns/mnt", "/")]


def on_host(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command in the network with the mounts and the root that this process had at first."""
    kinds = zip(("net", "mount", "root"), HOST, strict=True)
    enter = ["nsenter", *(f"--{kind}=/proc/self/fd/{file}" for kind, file in kinds), f"--wd={REPO}"]
    options |= {"pass_fds": HOST, "text": True, "capture_output": True, "timeout": 300}
    return subprocess.run([*enter, "--", *map(str, command)], check=False, **options)


def host_state() -> dict[str, str]:
    """Everything on the host that the lab must leave as it was."""
    asked = {
        "links": "ip -brief link",
        "addresses": "ip -brief address",
        "routes": "ip route show table all",
        "IPv6 routes": "ip -6 route show table all",
        "neighbours": "ip -brief neigh show nud permanent",
        "namespaces": "ip netns list",
        "XDP and tc programs": "bpftool net show",
        "pinned objects": "find /sys/fs/bpf",
    }
    return {what: on_host(*command.split()).stdout for what, command in asked.items()}


def is_loaded(name: str) -> bool:
    """Whether a BPF program of this name is loaded anywhere on this machine."""
    return f" name {name} " in on_host("bpftool", "prog", "show").stdout


class Host:
    """A process and a file of the host, which must stay as they are."""

    def __init__(self, folder: Path) -> None:
        self.canary = folder / "grace" / "canary"
        self.canary.parent.mkdir()
        self.canary.write_text("alive")
        self.canary.chmod(0o666)
        self._process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        self.pid = self._process.pid
        self._before = self._state()

    def _state(self) -> str:
        asked = "ip -brief link; bpftool net show; find /sys/fs/bpf"
        return on_host("sh", "-c", asked).stdout

    def is_well(self) -> bool:
        """Whether process, file, interfaces and attached programs are what they were."""
        files = [one.name for one in self.canary.parent.iterdir()]
        kept = files == ["canary"] and self.canary.read_text() == "alive"
        return kept and self._process.poll() is None and self._state() == self._before

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
