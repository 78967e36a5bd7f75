"""A kernel of the lab, as JupyterLab drives it, and the processes that it has."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from jupyter_client.manager import KernelManager
from jupyter_client.provisioning import LocalProvisioner

from labsetup.terminals.sockets import settings


class Kernel:
    """A kernel of the lab, driven as JupyterLab drives it."""

    def __init__(self, wrapper: tuple[str, ...] = ()) -> None:
        self.manager = KernelManager(kernel_name="xdp-lab", **settings())
        spec = self.manager.kernel_spec
        assert spec is not None
        spec.argv = [*wrapper, *spec.argv]
        self.manager.start_kernel(env={**os.environ, "JPY_SESSION_NAME": "a test.ipynb"})
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def send(self, kind: str, content: dict[str, Any], subshell: str | None = None) -> str:
        message = self.client.session.msg(kind, content)
        message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def begin(self, code: str, subshell: str | None = None) -> str:
        return self.send("execute_request", {"code": code, "silent": False}, subshell)

    def output(self, request: str) -> str:
        """What a cell printed, once it has ended."""
        said = ""
        while True:
            reply = self.client.get_iopub_msg(timeout=60)
            if reply["parent_header"].get("msg_id") != request:
                continue
            content = reply["content"]
            said += content.get("text", "") + "".join(content.get("traceback", []))
            if reply["msg_type"] == "status" and content["execution_state"] == "idle":
                return said

    def run(self, code: str, subshell: str | None = None) -> str:
        return self.output(self.begin(code, subshell))

    def completed(self, code: str) -> dict[str, str]:
        """What Tab offers behind some code: each name with its kind."""
        request = self.send("complete_request", {"code": code, "cursor_pos": len(code)})
        while True:
            reply = self.client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == request:
                names = reply["content"]["metadata"]["_jupyter_types_experimental"]
                return {name["text"]: name["type"] for name in names}

    def inspected(self, code: str) -> str:
        """What Shift+Tab shows behind some code."""
        content = {"code": code, "cursor_pos": len(code), "detail_level": 0}
        request = self.send("inspect_request", content)
        while True:
            reply = self.client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == request:
                return str(reply["content"]["data"].get("text/plain", ""))

    def new_subshell(self) -> str:
        message = self.client.session.msg("create_subshell_request")
        self.client.control_channel.send(message)
        return str(self.client.control_channel.get_msg(timeout=30)["content"]["subshell_id"])

    @property
    def pid(self) -> int:
        provisioner = self.manager.provisioner
        assert isinstance(provisioner, LocalProvisioner) and provisioner.process is not None
        return int(provisioner.process.pid)

    def kill(self) -> None:
        """kill -9, as an out-of-memory killer would."""
        os.kill(self.pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def processes_of(pid: int) -> set[int]:
    """A process and all that descend from it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    parents[int(entry)] = int(stat.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def gone_within(pids: set[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(os.path.exists(f"/proc/{pid}/exe") and _alive(pid) for pid in pids):
            return True
        time.sleep(0.05)  # polls: the kernel tells nobody but a parent
    return False


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
