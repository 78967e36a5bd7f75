"""lab start: JupyterLab, opened at the first notebook."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from ..network.lifetime import run_until_end
from .places import NOTEBOOKS, REPO, give_back, say
from .sockets import TRANSPORT
from .verbs import Verbs


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    verbs.add(
        "start",
        start,
        "open JupyterLab at the first notebook",
        usage="labsetup/lab start [-- JUPYTERLAB OPTION ...]",
    )


def start(arguments: argparse.Namespace) -> int:
    """Run JupyterLab, opened at the first notebook, until a signal ends it."""
    command = [
        sys.executable,
        *("-P", "-m", "jupyterlab"),
        "--allow-root",
        f"--KernelManager.transport={TRANSPORT}",
        f"--ServerApp.root_dir={REPO}",
        "--LabApp.default_url=/lab/tree/notebooks/00-start-here.ipynb",
    ]
    user = os.environ.get("SUDO_USER")
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        command.append("--no-browser")
    elif user and user != "root":
        # The browser belongs to the user: none runs well as root, and root's files stay shut.
        command.append(f"--browser={sys.executable} -P -m labsetup.command.browse {user} %s &")
    os.chdir(REPO)  # where its terminals open
    _sign_notebooks()
    say("JupyterLab starts; open the URL that it prints. Ctrl-C ends it, with all notebooks.")
    # In a group of its own it does not see a Ctrl-C, at which it would ask.
    run_until_end([*command, *arguments.theirs], signal.SIGTERM, os.setpgrp, give_back)


def _sign_notebooks() -> None:
    """Sign notebooks that are newer than the last signing.

    Without a signature JupyterLab strips the pictures from stored outputs.
    """
    notebooks = sorted(NOTEBOOKS.glob("*.ipynb"))
    signed = Path(sys.prefix) / "var" / "signed"
    newest = max(path.stat().st_mtime for path in notebooks)
    if not signed.exists() or signed.stat().st_mtime < newest:
        command = [sys.executable, "-P", "-m", "nbformat.sign", *map(str, notebooks)]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        signed.parent.mkdir(exist_ok=True)
        signed.touch()
