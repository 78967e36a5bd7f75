"""A hub over an engine of the tests' own: started, asked, and gone with all that it made."""

from __future__ import annotations

import os
import re
import time
from typing import NamedTuple

import requests

from .host import on_host
from .hub import Visitor
from .podman import IMAGE, Podman

HUB_IMAGE = os.environ.get("XDP_LAB_HUB_IMAGE", "localhost/xdp-lab-hub")
NAME, ADDRESS = "xdp-lab-hub", "http://127.0.0.1:8000"
PYTHON = "/xdp-lab/.venv/bin/python"


# Of control groups in their first version, and in their second.
COUNTERS = """
cd /sys/fs/cgroup
if [ -d memory ]; then
    echo ns $(cat cpuacct/cpuacct.usage); echo bytes $(cat memory/memory.usage_in_bytes)
    cat memory/memory.stat
else
    cat cpu.stat memory.stat; echo bytes $(cat memory.current)
fi
"""


class Used(NamedTuple):
    """CPU in seconds, memory in MiB, and what of that cannot be read anew from a disk."""

    cpu: float
    memory: float
    own: float


class Hub:
    """One that runs; whoever starts it lets the engine remove what is left."""

    def __init__(self, podman: Podman, socket: str) -> None:
        self.podman = podman
        podman.start_other(
            HUB_IMAGE,
            NAME,
            "--cap-drop=ALL",
            "--publish=127.0.0.1:8000:8000",
            f"--volume={socket}:/var/run/docker.sock",
            f"--volume={NAME}:/srv/hub",
            f"--env=XDP_LAB_IMAGE={IMAGE}",
        )
        deadline = time.monotonic() + 90
        while not self._is_there():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.5)  # polls: a refused connection tells no time

    def _is_there(self) -> bool:
        try:
            return requests.get(f"{ADDRESS}/hub/health", timeout=10).status_code == 200
        except OSError:
            return False

    def said(self) -> str:
        """What the hub has printed."""
        ran = self.podman("logs", NAME)
        return ran.stdout + ran.stderr

    def visitor(self, name: str) -> Visitor:
        """Somebody who has logged in with the password that the teacher hands out."""
        ran = self.podman("exec", NAME, "/xdp-lab/labsetup/hub/begin", name)
        assert not ran.returncode, ran.stderr
        visitor = Visitor(ADDRESS, name, ran.stdout.split()[1])
        assert visitor.log_in() == 200
        return visitor

    def within(self, name: str, *command: str) -> str:
        """What a reader can do as root of their container: what a command there says."""
        ran = self.podman("exec", f"xdp-lab-reader-{name}", *command)
        return ran.stdout + ran.stderr

    def address(self, name: str) -> str:
        """Of a reader's container, in its own network."""
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return self.podman("inspect", f"xdp-lab-reader-{name}", "--format", form).stdout.strip()

    def used(self, container: str) -> Used:
        """What a container has used of the machine until now, as the kernel counts it."""
        said = self.podman("exec", container, "sh", "-c", COUNTERS, timeout=300).stdout
        found = dict(re.findall(r"^(\w+) (\d+)$", said, re.MULTILINE))
        cpu = int(found["ns"]) / 1e9 if "ns" in found else int(found["usage_usec"]) / 1e6
        own = int(found["total_rss"] if "total_rss" in found else found["anon"])
        return Used(cpu, int(found["bytes"]) / 2**20, own / 2**20)


def reason_without() -> str:
    """Why there can be no hub here; empty if there can."""
    if on_host("podman", "image", "exists", HUB_IMAGE).returncode:
        return f"there is no image {HUB_IMAGE}; labsetup/hub/README.md says how it is built"
    return ""
