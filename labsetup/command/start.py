"""lab start: JupyterLab, opened at the first notebook."""

from __future__ import annotations

import argparse
import os
import sys

from .copies import MINE, Copies
from .places import say
from .verbs import Verbs


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    verbs.add(
        "start",
        start,
        "open JupyterLab at the first notebook",
        usage="labsetup/lab start [-- JUPYTERLAB OPTION ...]",
    )
    added = verbs.add("restore", restore, "a fresh copy of a lesson, beside the one you have")
    added.add_argument("lesson", metavar="NN", help="its number, such as 03")


def start(arguments: argparse.Namespace) -> int:
    """Bring the reader's copy up to date, and become JupyterLab, opened at the first notebook."""
    command = [
        f"{sys.prefix}/bin/jupyter-lab",
        "--allow-root",
        f"--ServerApp.root_dir={MINE.parent}",
        f"--LabApp.default_url=/lab/tree/{MINE.name}/00-start-here.ipynb",
    ]
    command.append("--HTMLExporter.filters=clean_html=labsetup.editor.exports.clean_html")
    user = os.environ.get("SUDO_USER")
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        command.append("--no-browser")
    elif user and user != "root":
        # The browser belongs to the user: none runs well as root, and root's files stay shut.
        command.append(f"--browser={sys.executable} -P -m labsetup.command.browse {user} %s &")
    os.chdir(MINE.parent)  # where its terminals open
    for sentence in Copies().update():
        say(sentence)
    say("JupyterLab starts; open the URL that it prints. Ctrl-C twice ends it.")
    os.execv(command[0], [*command, *arguments.theirs])


def restore(arguments: argparse.Namespace) -> int:
    """Bring a fresh copy of a lesson; what the reader has stays."""
    say(Copies().restore(arguments.lesson))
    return 0
