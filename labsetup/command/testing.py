"""lab test: style, types, every test and every notebook."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from ..errors import LabError
from .places import REPO, without_progress
from .verbs import Misused, Verbs

NBVAL = [
    *("-p", "labsetup.terminals.sockets"),
    "--nbval",
    "--nbval-sanitize-with=tests/sanitize.cfg",
    "--nbval-cell-timeout=240",
]


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    added = verbs.add(
        "test",
        test,
        "run every test and every notebook",
        theirs=True,
        usage="labsetup/lab test [-h] [-- PYTEST OPTION ...] | --vm [KERNEL ...] [--minutes N]",
    )
    added.add_argument(
        "--vm",
        metavar="KERNEL",
        nargs="*",
        help="try the lab on the distribution's kernels, in a virtual machine; such as 6.1, newest",
    )
    added.add_argument("--minutes", type=float, help="for each kernel; 20")


def test(arguments: argparse.Namespace) -> int:
    """Check style and types, then run every test and every notebook; or boot other kernels."""
    if arguments.vm is not None and arguments.theirs:
        raise Misused("--vm takes no options of pytest's; leave -- and what follows it out")
    if arguments.vm is None and arguments.minutes is not None:
        raise Misused("--minutes is for --vm; type: labsetup/lab test --vm --minutes 20")
    os.chdir(REPO)
    if arguments.vm is not None:
        from ..machines.trial import trial

        return trial(arguments.vm, 20.0 if arguments.minutes is None else arguments.minutes)
    with without_progress():
        return run_tests(arguments.theirs)


def run_tests(options: Sequence[str]) -> int:
    """The same, once there.

    Args:
        options: pytest's; with some, only what they choose is run.

    Returns:
        a status: 0 when all is well.

    Raises:
        LabError: when the code is not as a checker wants it; it has said where.
    """
    _check()
    command = [sys.executable, "-m", "pytest", *NBVAL, "-p", "no:cacheprovider"]
    if options:
        return subprocess.run([*command, *options], check=False).returncode
    # A file at a time on each CPU, each in a sandbox of its own, the longest first; then what must
    # be alone.
    workers = min(4, len(os.sched_getaffinity(0)))
    side_by_side = ["-m", "not alone", f"-n{workers}", "--dist=loadfile", "--no-loadscope-reorder"]
    failed = [
        subprocess.run([*command, "-q", "--durations=5", *options], check=False).returncode
        for options in (side_by_side, ["-m", "alone"])
    ]
    return 1 if any(failed) else 0  # a run that was killed has a negative status


def _check() -> None:
    """Have each checker look at the code.

    Raises:
        LabError: naming the command that mends it.
    """
    folders = "bpf/*.[ch]", "labsetup/service/*.[ch]", "labsetup/lessons/**/*.c"
    sources = [path for folder in folders for path in REPO.glob(folder)]
    c_files = [f"{path.relative_to(REPO)}" for path in sources if "mistakes" not in path.parts]
    checkers = (
        (["ruff", "check", "--quiet", "."], "ruff check --fix ., and mend by hand what is left"),
        (["ruff", "format", "--check", "--quiet", "."], "ruff format ."),
        (["mypy", "--no-error-summary"], "mypy, and mend what it names"),
        (["clang-format", "--dry-run", "-Werror", *c_files], "clang-format -i FILE"),
    )
    for (name, *options), mend in checkers:
        command = [f"{sys.prefix}/bin/{name}", *options]
        if subprocess.run(command, check=False).returncode:
            raise LabError(f"the code is not as {name} wants it; type: .venv/bin/{mend}")
