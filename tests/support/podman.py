"""Containers of the lab's image, whose engine and networks are in the tests' own sandbox.

The image is read from the machine's store; what podman makes goes into a store of this test's, the
bridge of a published port into the sandbox's network, and every process is one of the sandbox's.
Source: podman(1) on --root and on image stores, containers-storage.conf(5).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from labsetup.command.places import REPO

from .host import HOST, on_host

IMAGE = os.environ.get("XDP_LAB_IMAGE", "localhost/xdp-lab")
PAGE = REPO / "labsetup" / "container" / "README.md"
SOCKET = "/run/podman.sock"
NOT_HERE = f"there is no image {IMAGE}; {PAGE.relative_to(REPO)} says how it is built"

# In the mounts of the host, with a /proc for this sandbox's processes and a /run that goes with it.
HOLD = """
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
echo ready
exec sleep infinity
"""


def capabilities() -> list[str]:
    """Those that the container's page names as the smallest set, beside what engines grant."""
    return re.findall(r"--cap-add ([A-Z_]+)", PAGE.read_text())


def granted() -> list[str]:
    """Those of the engines' own sets that the lab uses, as that page names them."""
    found = re.search(r"without a word: ([A-Z_, ]+)", PAGE.read_text())
    assert found
    return found[1].strip().split(", ")


@contextlib.contextmanager
def mounts() -> Iterator[subprocess.Popen[str]]:
    """A process in whose mounts an engine can work; they go when it ends."""
    _, mount, root = HOST
    enter = ["nsenter", f"--mount=/proc/self/fd/{mount}", f"--root=/proc/self/fd/{root}"]
    command = [*enter, "--", "unshare", "--mount", "sh", "-c", HOLD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=HOST) as hold:
        try:
            assert hold.stdout and hold.stdout.readline() == "ready\n"
            yield hold
        finally:
            hold.kill()


class Podman:
    """An engine with a store of its own."""

    def __init__(self, folder: Path, hold: subprocess.Popen[str]) -> None:
        self._enter = ["nsenter", "--mount", f"--target={hold.pid}", "--wd=/", "--"]
        store = "overlay.imagestore=/var/lib/containers/storage"
        own = ["--root", str(folder / "root"), "--runroot", "/run/podman", "--storage-opt", store]
        own += ["--network-config-dir", str(folder / "networks")]
        runtime = ["--runtime=runc"] if shutil.which("runc") and not shutil.which("crun") else []
        self._podman = ["podman", *own, *runtime]
        # Where root may not raise a limit, the engine's own numbers would be refused.
        self._limits = ["--ulimit=nofile=1024:4096", "--ulimit=nproc=4096:4096"]

    def __call__(self, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run one of its commands; what it says is in the result."""
        command = [*self._enter, *self._podman, *words]
        options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": timeout}
        return subprocess.run(command, check=False, **options)

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        """Answer docker's API too; gives the path of its socket, in this engine's mounts."""
        command = [*self._enter, *self._podman, "system", "service", "--time=0", f"unix://{SOCKET}"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as api:
            try:
                deadline = time.monotonic() + 60
                while subprocess.run([*self._enter, "test", "-S", SOCKET], check=False).returncode:
                    assert time.monotonic() < deadline, "podman answers at no socket"
                    time.sleep(0.2)  # polls: it tells nobody when it listens
                yield SOCKET
            finally:
                api.terminate()

    def start_other(self, image: str, name: str, *options: str) -> None:
        """Start a container of another image.

        Raises:
            AssertionError: with the engine's words, if it cannot.
        """
        started = self("run", "--detach", "--name", name, *self._limits, *options, image)
        assert not started.returncode, started.stderr

    def run(self, options: Sequence[str], *words: str, timeout: float = 60) -> str:
        """Run a container to its end; what it says."""
        ran = self("run", "--rm", *self._limits, *options, IMAGE, *words, timeout=timeout)
        return f"{ran.stdout}{ran.stderr}\nstatus {ran.returncode}"

    def start(self, name: str, *options: str) -> str:
        """Start JupyterLab in one; gives the address that it tells.

        Raises:
            AssertionError: if there is none within a minute.
        """
        started = self("run", "--detach", "--name", name, *self._limits, *options, IMAGE)
        assert not started.returncode, started.stderr
        deadline, said = time.monotonic() + 60, ""
        while time.monotonic() < deadline:
            ran = self("logs", name)
            said = ran.stdout + ran.stderr
            if found := re.findall(r"http://\S+", said):
                assert len(found) == 1, said
                return str(found[0])
            time.sleep(0.2)  # polls: podman tells nobody
        raise AssertionError(f"no address within a minute: {said}")


def status_of(address: str) -> int:
    """What a browser gets; the server may take a moment after it has told its address."""
    for _ in range(50):
        try:
            with urllib.request.urlopen(address, timeout=10) as page:
                return int(page.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            time.sleep(0.1)  # polls: a refused connection tells no time
    raise AssertionError(f"nobody answers at {address}")


def reason_without() -> str:
    """Why there can be no container here; empty if there can."""
    if not shutil.which("podman"):
        return "podman is not installed; type: apt-get install podman"
    if on_host("podman", "image", "exists", IMAGE).returncode:
        return NOT_HERE
    return ""
