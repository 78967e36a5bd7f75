"""Two users on one machine: neither reads what the other types, and it stays theirs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.host import REPO
from support.kernels import gone_within, processes_of

from labsetup.network import lifetime

OWNER, STRANGER = 4321, 65534

# What a stranger tries; it prints what came of it, in JSON.
TRY = """
import json, os, socket, sys
from pathlib import Path
pids, token, folders, sockets = json.load(sys.stdin)
got = {}
def attempt(name, work):
    try:
        got[name] = str(work())
    except OSError as error:
        got[name] = type(error).__name__
for path in sockets:
    attempt(f"connect {path}", lambda: socket.socket(socket.AF_UNIX).connect(path))
for folder in folders:
    attempt(f"list {folder}", lambda: os.listdir(folder))
for pid in pids:
    attempt(f"environ {pid}", lambda: Path(f"/proc/{pid}/environ").read_text())
    attempt(f"files {pid}", lambda: os.listdir(f"/proc/{pid}/fd"))
    attempt(f"memory {pid}", lambda: open(f"/proc/{pid}/mem"))
got["token in arguments"] = any(
    token in path.read_text() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()
)
print(json.dumps([os.getuid(), got]))
"""


@dataclass
class Server:
    """A JupyterLab that `labsetup/lab start` has started for the owner of a clone."""

    process: subprocess.Popen[str]
    clone: Path
    temporary: Path
    url: str
    token: str

    def ask(self, method: str, path: str, content: object = None, token: str | None = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}{path}",
            method=method,
            data=None if content is None else json.dumps(content).encode(),
            headers={"Authorization": f"token {self.token if token is None else token}"},
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.loads(reply.read() or "null")


@pytest.fixture
def server() -> Iterator[Server]:
    # Not pytest's folder, which is closed to strangers, nor the lab's, whose name is long.
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        os.chmod(place, 0o755)
        clone, temporary = Path(place, "clone"), Path(place, "temporary")
        temporary.mkdir(mode=0o777)
        os.chmod(temporary, 0o1777)
        ignored = shutil.ignore_patterns("__pycache__", ".ipynb*")
        for folder in ("labsetup", "notebooks", "bpf"):
            shutil.copytree(REPO / folder, clone / folder, ignore=ignored)
        for folder, folders, files in os.walk(clone):
            for name in (".", *folders, *files):
                os.chown(Path(folder, name), OWNER, OWNER)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        words = ["start", "--", "--no-browser", f"--port={port}"]
        elsewhere = "XDP_LAB_SETTINGS"  # where a container keeps them
        as_here = {name: value for name, value in os.environ.items() if name != elsewhere}
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "labsetup.command", *words],
            env=as_here
            | {"PYTHONPATH": str(clone), "TMPDIR": str(temporary)}
            | {"PYTHONDONTWRITEBYTECODE": ""},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            said = ""
            while not (found := re.search(r"(http://127\S+:\d+)/lab\S*\?token=(\w+)", said)):
                assert process.stderr
                line = process.stderr.readline()
                assert line, said
                said += line
            started = Server(process, clone, temporary, found[1], found[2])
            for _ in range(100):  # it prints its address before it listens there
                with contextlib.suppress(urllib.error.URLError):
                    started.ask("GET", "/api/status")
                    break
                time.sleep(0.1)
            yield started
        finally:
            process.terminate()
            process.communicate(timeout=10)


def notebook_cells(source: str) -> dict[str, Any]:
    cell = {"cell_type": "code", "source": source, "metadata": {}, "outputs": []}
    content = {"cells": [cell | {"execution_count": None}], "metadata": {}, "nbformat": 4}
    return {"type": "notebook", "format": "json", "content": content | {"nbformat_minor": 4}}


def listening(pids: set[int]) -> list[str]:
    """The TCP sockets of processes that wait for somebody, on this network."""
    inodes = {
        os.readlink(file)
        for pid in pids
        for file in Path(f"/proc/{pid}/fd").iterdir()
        if os.path.lexists(file) and os.path.islink(file)
    }
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:  # 0A: TCP_LISTEN
                found.append(fields[1])
    return found


def test_another_user_reads_nothing(server: Server) -> None:
    server.ask("PUT", "/api/contents/my-lab/mine.ipynb", notebook_cells("'a secret'"))
    server.ask("POST", "/api/kernels", {"name": "xdp-lab", "path": "my-lab"})
    deadline = time.monotonic() + 60
    while not list(server.temporary.rglob("*-ipc-*")) and time.monotonic() < deadline:
        time.sleep(0.1)  # polls: the kernel tells nobody that it listens
    time.sleep(1)
    pids = processes_of(server.process.pid)
    assert len(pids) >= 5
    (folder,) = server.temporary.iterdir()
    sockets = list(folder.rglob("*-ipc-*"))
    assert len(sockets) == 5
    folders = [str(folder), str(server.clone / "my-lab"), str(server.clone / ".venv/var")]
    asked = json.dumps([sorted(pids), server.token, folders, list(map(str, sockets))])
    apart = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"]
    tried = subprocess.check_output(
        [*apart, sys.executable, "-I", "-c", TRY], input=asked, text=True
    )
    uid, got = json.loads(tried)
    assert uid == STRANGER
    assert not got.pop("token in arguments")
    assert sum(name.startswith("connect") for name in got) == 5
    assert {name: said for name, said in got.items() if said != "PermissionError"} == {}
    assert len(listening(pids)) == 1, "the server's own port alone"
    for token in ("", "wrong"):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            server.ask("GET", "/api/contents/my-lab/mine.ipynb", token=token)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name)
def test_what_root_made_is_the_owners(server: Server, number: signal.Signals) -> None:
    path = "/api/contents/my-lab/mine.ipynb"
    server.ask("PUT", path, notebook_cells("1"))
    mine = server.clone / "my-lab/mine.ipynb"
    assert mine.stat().st_uid == OWNER, "at once: its owner may have it open"
    server.ask("POST", f"{path}/checkpoints")
    server.ask("PUT", "/api/contents/my-lab/folder", {"type": "directory"})
    server.ask("POST", "/api/kernels", {"name": "xdp-lab", "path": "my-lab"})
    time.sleep(3)
    pids = processes_of(server.process.pid)
    server.process.send_signal(number)
    assert gone_within(pids, 4)
    assert not list(server.temporary.iterdir())
    left = [
        Path(folder, name)
        for folder, folders, files in os.walk(server.clone)
        for name in (*folders, *files)
        if Path(folder, name).lstat().st_uid != OWNER
    ]
    assert not left
    assert list(server.clone.rglob(".ipynb_checkpoints"))
    assert list(server.clone.rglob("__pycache__"))
    parent = server.clone.parent
    os.chown(parent, OWNER, OWNER)
    delete = ["setpriv", f"--reuid={OWNER}", "--clear-groups", "rm", "-rf", str(server.clone)]
    subprocess.run(delete, check=True)


def test_a_kernels_socket_has_a_name_however_long_the_folders_is() -> None:
    folder = f"/{'x' * (lifetime.LONGEST - 2)}/xdp-lab-12345678/jupyter"
    with pytest.raises(FileNotFoundError), socket.socket(socket.AF_UNIX) as unix:
        unix.connect(f"{folder}/kernel-{uuid.uuid4()}-ipc-1")  # else its name is too long
