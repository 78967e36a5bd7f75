"""lab start, lab restore: JupyterLab over the reader's own copy, opened at the course's map."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shlex
import signal
import sys

from ..errors import LabError
from ..network.lifetime import run_until_end
from ..terminals.sockets import TRANSPORT
from .copies import MINE, Copies
from .places import NOTEBOOKS, REPO, can_keep, give_back, keep_settings, say
from .verbs import Verbs


def add(verbs: Verbs) -> None:
    """Declare the verbs."""
    verbs.add(
        "start",
        start,
        "open JupyterLab at the map of the course, in a copy of it that is yours",
        theirs=True,
        usage="labsetup/lab start [-- JUPYTERLAB OPTION ...]",
    )
    added = verbs.add("restore", restore, "a fresh copy of a lesson, beside the one you have")
    added.add_argument("lesson", metavar="NN", help="its number, such as 03")


def start(arguments: argparse.Namespace) -> int:
    """Bring the reader's copy up to date, and run JupyterLab over it until a signal ends it."""
    if saves := can_keep():
        keep_settings()
    folder = MINE if saves else NOTEBOOKS
    for sentence in Copies().update() if saves else ():
        say(sentence)
    shell = json.dumps([sys.executable, "-P", "-m", "labsetup.terminals.jupyter"])
    command = [
        sys.executable,
        *("-P", "-m", _server()),
        "--allow-root",
        f"--KernelManager.transport={TRANSPORT}",
        "--KernelSpecManager.allowed_kernelspecs=xdp-lab",
        f"--ServerApp.root_dir={folder.parent}",
        "--LabApp.default_url=/lab",
        "--Application.log_level=WARN",
        "--ServerApp.jpserver_extensions=labsetup.editor.server=True",
        f"--ServerApp.terminado_settings=shell_command={shell}",
        "--FileContentsManager.post_save_hook=labsetup.command.places.give_file_back",
        "--HTMLExporter.filters=clean_html=labsetup.editor.exports.clean_html",
    ]
    user = os.environ.get("SUDO_USER")
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        command.append("--no-browser")
    elif user and user != "root":
        # The browser belongs to the user: none runs well as root, and root's files stay shut.
        python = shlex.quote(sys.executable)
        command.append(f"--browser={python} -P -m labsetup.editor.browse {user} %s &")
    os.chdir(folder.parent)  # where its terminals open
    if not saves:
        say(f"{REPO} is read-only: nothing that you change can be saved; copy it to keep that.")
    say("JupyterLab starts.")  # labsetup/editor/server.py says where it is, as soon as it is there
    run_until_end([*command, *arguments.theirs], signal.SIGTERM, _begin, give_back)


def _server() -> str:
    """The module that serves: JupyterLab, or under a hub what asks it who may come in.

    Raises:
        LabError: under a hub, where the lab was installed without what that needs.
    """
    if "JUPYTERHUB_SERVICE_PREFIX" not in os.environ:
        return "jupyterlab"
    if not importlib.util.find_spec("jupyterhub"):
        raise LabError(
            "a hub has started this lab, which was installed without JupyterHub; build the image "
            "anew, or type: .venv/bin/pip install --require-hashes -r labsetup/hub/requirements.txt"
        )
    return "jupyterhub.singleuser"


def _begin() -> None:
    """In the process that becomes JupyterLab."""
    os.setpgrp()  # so that it does not see a Ctrl-C, at which it would ask
    os.umask(0o077)
    keep_settings()  # where the clone is read-only they go into the janitor's folder


def restore(arguments: argparse.Namespace) -> int:
    """Bring a fresh copy of a lesson; what the reader has stays."""
    say(Copies().restore(arguments.lesson))
    return 0
