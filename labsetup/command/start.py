"""lab start: JupyterLab, opened at the first notebook."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys

from ..network.lifetime import run_until_end
from .places import NOTEBOOKS, REPO, can_keep, give_back, keep_settings, say
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
        "--FileContentsManager.post_save_hook=labsetup.command.places.give_file_back",
        f"--ServerApp.root_dir={REPO}",
        "--LabApp.default_url=/lab/tree/notebooks/00-start-here.ipynb",
    ]
    user = os.environ.get("SUDO_USER")
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        command.append("--no-browser")
    elif user and user != "root":
        # The browser belongs to the user: none runs well as root, and root's files stay shut.
        python = shlex.quote(sys.executable)
        command.append(f"--browser={python} -P -m labsetup.command.browse {user} %s &")
    os.chdir(REPO)  # where its terminals open
    with contextlib.suppress(OSError):  # what is typed there is for its reader alone
        NOTEBOOKS.chmod(0o700)
    if can_keep():
        keep_settings()
        _sign_notebooks()
    else:
        say(f"{REPO} is read-only: nothing that you change can be saved; copy it to keep that.")
    say("JupyterLab starts; open the URL that it prints. Ctrl-C ends it, with all notebooks.")
    run_until_end([*command, *arguments.theirs], signal.SIGTERM, _begin, give_back)


def _begin() -> None:
    """In the process that becomes JupyterLab."""
    os.setpgrp()  # so that it does not see a Ctrl-C, at which it would ask
    os.umask(0o077)
    keep_settings()  # where the clone is read-only they go into the janitor's folder


def _sign_notebooks() -> None:
    """Sign notebooks that are newer than the last signing.

    Without a signature JupyterLab strips the pictures from stored outputs.
    """
    notebooks = sorted(NOTEBOOKS.glob("*.ipynb"))
    signed = REPO / ".venv" / "var" / "signed"
    newest = max(path.stat().st_mtime for path in notebooks)
    if not signed.exists() or signed.stat().st_mtime < newest:
        command = [sys.executable, "-P", "-m", "nbformat.sign", *map(str, notebooks)]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        signed.touch()
