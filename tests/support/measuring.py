"""A plugin of coverage: what a process has run is counted, though another one ends it at once.

pyproject.toml names it, so that it is there in each process that is measured.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Any

from coverage import Coverage


def coverage_init(registry: object, options: object) -> None:
    """Have children that try an answer save their counts before they tell what they found."""
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])  # where others find this plugin
    send_fds = socket.send_fds  # how labsetup.apart tells; whoever listens kills the child then

    def saving(*args: Any, **kwargs: Any) -> int:
        with contextlib.suppress(Exception):  # what it measures, a measurement must not end
            if measured := Coverage.current():
                measured.save()
        return send_fds(*args, **kwargs)

    socket.send_fds = saving


def let_kernels_end() -> None:
    """Kernels are asked to end, instead of killed, so that they save what they counted.

    They count for themselves: nbval's own way has each kernel begin a second time, and wait.
    """
    import nbval.plugin
    from jupyter_client.manager import KernelManager
    from nbval.kernel import RunningKernel

    shutdown: Any = KernelManager.shutdown_kernel

    def gently(self: KernelManager, now: bool = False, restart: bool = False) -> Any:
        return shutdown(self, False, restart)

    def stop(self: RunningKernel) -> None:
        self.km.shutdown_kernel()
        self.kc.stop_channels()

    KernelManager.shutdown_kernel = gently
    RunningKernel.stop = stop
    nbval.plugin.setup_coverage = nbval.plugin.teardown_coverage = lambda *_: None
