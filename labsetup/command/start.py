"""lab start, lab restore: JupyterLab, opened at the first notebook of the reader's own copy."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from ..network.lifetime import run_until_end
from .copies import MINE, Copies
from .places import give_back, say
from .sockets import TRANSPORT
from .verbs import Verbs


def add(verbs: Verbs) -> None:
    """Declare the verbs."""
    verbs.add(
        "start",
        start,
        "open JupyterLab at the first notebook, in a copy of the course that is yours",
        usage="labsetup/lab start [-- JUPYTERLAB OPTION ...]",
    )
    added = verbs.add("restore", restore, "a fresh copy of a lesson, beside the one you have")
    added.add_argument("lesson", metavar="NN", help="its number, such as 03")


def start(arguments: argparse.Namespace) -> int:
    """Bring the reader's copy up to date, and run JupyterLab over it until a signal ends it."""
    for sentence in Copies().update():
        say(sentence)
    command = [
        sys.executable,
        *("-P", "-m", "jupyterlab"),
        "--allow-root",
        f"--KernelManager.transport={TRANSPORT}",
        "--KernelSpecManager.allowed_kernelspecs=xdp-lab",
        f"--ServerApp.root_dir={MINE.parent}",
        f"--LabApp.default_url=/lab/tree/{MINE.name}/00-start-here.ipynb",
        "--HTMLExporter.filters=clean_html=labsetup.editor.exports.clean_html",
    ]
    user = os.environ.get("SUDO_USER")
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        command.append("--no-browser")
    elif user and user != "root":
        # The browser belongs to the user: none runs well as root, and root's files stay shut.
        command.append(f"--browser={sys.executable} -P -m labsetup.command.browse {user} %s &")
    os.chdir(MINE.parent)  # where its terminals open
    say("JupyterLab starts; open the URL that it prints. Ctrl-C ends it, with all notebooks.")
    # In a group of its own it does not see a Ctrl-C, at which it would ask.
    run_until_end([*command, *arguments.theirs], signal.SIGTERM, os.setpgrp, give_back)


def restore(arguments: argparse.Namespace) -> int:
    """Bring a fresh copy of a lesson; what the reader has stays."""
    say(Copies().restore(arguments.lesson))
    return 0
