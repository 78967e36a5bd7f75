"""lab test: style, types, every test and every notebook."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from ..errors import LabError
from ..network import sandbox
from .places import REPO, without_progress
from .verbs import Verbs


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    verbs.add(
        "test",
        test,
        "run every test and every notebook",
        usage="labsetup/lab test [-- PYTEST OPTION ...]",
    )


def test(arguments: argparse.Namespace) -> int:
    """Check style, then run every test and every notebook."""
    sandbox.become_init()
    os.chdir(REPO)
    with without_progress():
        return _test(arguments)


def _test(arguments: argparse.Namespace) -> int:
    for command in (["check"], ["format", "--check"]):
        if subprocess.run(
            [f"{sys.prefix}/bin/ruff", *command, "--quiet", "."], check=False
        ).returncode:
            raise LabError("the code is not as ruff wants it; type: .venv/bin/ruff check --fix .")
    command = [
        sys.executable, "-m", "pytest", "--nbval", "--nbval-sanitize-with=tests/sanitize.cfg",
        "--nbval-cell-timeout=60", "-p", "no:cacheprovider",
    ]  # fmt: skip
    if arguments.theirs:
        return subprocess.run([*command, *arguments.theirs], check=False).returncode
    # A file at a time on each CPU, each with a sandbox of its own; then what must be alone.
    workers = min(4, len(os.sched_getaffinity(0)))
    failed = [
        subprocess.run([*command, "-q", "--durations=5", *options], check=False).returncode
        for options in (["-m", "not alone", f"-n{workers}", "--dist=loadfile"], ["-m", "alone"])
    ]
    return 1 if any(failed) else 0  # a run that was killed has a negative status
