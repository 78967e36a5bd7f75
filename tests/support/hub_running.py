"""A hub over an engine of the tests' own: started, asked, and gone with all that it made."""

from __future__ import annotations

import json
import os
import time

import requests

from .host import on_host
from .hub import Visitor
from .podman import IMAGE, Podman

HUB_IMAGE = os.environ.get("XDP_LAB_HUB_IMAGE", "localhost/xdp-lab-hub")
NAME, ADDRESS = "xdp-lab-hub", "http://127.0.0.1:8000"
PYTHON = "/xdp-lab/.venv/bin/python"


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

    def mebibytes(self) -> dict[str, float]:
        """The memory of each container, as the engine has it."""
        ran = self.podman("stats", "--no-stream", "--format", "json")
        found = {
            one["name"]: one["mem_usage"].split("/")[0].strip() for one in json.loads(ran.stdout)
        }
        return {name: _bytes(text) / 2**20 for name, text in found.items()}


def _bytes(text: str) -> float:
    """Of ``"301.4MB"``, in which an M is a million."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * size
    raise AssertionError(text)


def reason_without() -> str:
    """Why there can be no hub here; empty if there can."""
    if on_host("podman", "image", "exists", HUB_IMAGE).returncode:
        return f"there is no image {HUB_IMAGE}; labsetup/hub/README.md says how it is built"
    return ""
