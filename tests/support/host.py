"""The host around the sandbox in which the tests run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

REPO = Path(__file__).parent.parent.parent
LAB = REPO / "labsetup" / "lab"
NOTEBOOKS = sorted((REPO / "notebooks").glob("*.ipynb"))

_HOST = [os.open(path, os.O_RDONLY) for path in ("/proc/self/ns/net", "/proc/self/ns/mnt", "/")]


def on_host(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command in the network with the mounts and the root that this process had at first."""
    kinds = zip(("net", "mount", "root"), _HOST, strict=True)
    enter = ["nsenter", *(f"--{kind}=/proc/self/fd/{file}" for kind, file in kinds), f"--wd={REPO}"]
    options |= {"pass_fds": _HOST, "text": True, "capture_output": True, "timeout": 300}
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
