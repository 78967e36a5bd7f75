"""Kernels are spoken to over sockets in a folder of root's alone.

Over TCP, which is Jupyter's habit, any user of the machine may connect and read what cells print:
the key signs messages, and hides nothing.  Where pytest starts kernels, this is its plugin.
Source: Jupyter's "Messaging in Jupyter", zmq_ipc(7).
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

TRANSPORT = "ipc"


def settings() -> dict[str, str]:
    """What a KernelManager is to be given: the sockets lie beside its connection file."""
    from jupyter_core.paths import jupyter_runtime_dir

    folder = Path(jupyter_runtime_dir())
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {"transport": TRANSPORT, "connection_file": f"{folder}/kernel-{uuid.uuid4()}.json"}


def pytest_configure() -> None:
    """Have nbval's kernels do so."""
    import nbval.kernel

    made = nbval.kernel.KernelManager

    def manager(**options: Any) -> Any:
        return made(**settings(), **options)

    nbval.kernel.KernelManager = manager
