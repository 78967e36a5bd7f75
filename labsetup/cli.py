"""The verbs of labsetup/lab.  Each exits with status 0 only when all is well."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from . import sandbox
from .sandbox import LabError

REPO = Path(__file__).parent.parent
NOTEBOOKS = REPO / "notebooks"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def start(arguments: argparse.Namespace) -> int:
    """Become JupyterLab, opened at the first notebook."""
    command = [
        f"{sys.prefix}/bin/jupyter-lab", "--allow-root", f"--ServerApp.root_dir={REPO}",
        "--LabApp.default_url=/lab/tree/notebooks/00-start-here.ipynb",
    ]  # fmt: skip
    user = os.environ.get("SUDO_USER")
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        command.append("--no-browser")
    elif user and user != "root":
        # The browser belongs to the user: none runs well as root, and root's files stay shut.
        home = pwd.getpwnam(user)
        keep = f"--preserve-environment -u {user} -- env HOME={home.pw_dir} USER={user}"
        keep += f" XDG_RUNTIME_DIR=/run/user/{home.pw_uid}"
        command += [
            "--ServerApp.use_redirect_file=False",
            f"--browser=runuser {keep} xdg-open %s &",
        ]
    os.chdir(REPO)  # where its terminals open
    _sign_notebooks()
    _say("JupyterLab starts; open the URL that it prints. Ctrl-C twice ends it.")
    os.execv(command[0], [*command, *arguments.theirs])


def _sign_notebooks() -> None:
    """Sign notebooks that are newer than the last signing.

    Without a signature JupyterLab strips the pictures from stored outputs.
    """
    notebooks = sorted(NOTEBOOKS.glob("*.ipynb"))
    signed = Path(sys.prefix) / "var" / "signed"
    newest = max(path.stat().st_mtime for path in notebooks)
    if not signed.exists() or signed.stat().st_mtime < newest:
        command = [f"{sys.prefix}/bin/jupyter", "trust", *notebooks]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        signed.parent.mkdir(exist_ok=True)
        signed.touch()


def test(arguments: argparse.Namespace) -> int:
    """Check style, then run every test and every notebook."""
    sandbox.become_init()
    os.chdir(REPO)
    with _without_progress():
        return _test(arguments)


@contextlib.contextmanager
def _without_progress() -> Iterator[None]:
    """Neither read nor write what the reader has done: outputs must not depend on it."""
    with tempfile.TemporaryDirectory(prefix="xdp-lab-") as folder:
        os.environ["XDG_STATE_HOME"] = folder
        yield


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


def doctor(arguments: argparse.Namespace) -> int:
    """Say what this machine can do."""
    if os.geteuid() == 0:
        sandbox.become_init()
    from .doctor import Report, examine

    report = Report(examine())
    print(json.dumps(report.as_dict(), indent=2) if arguments.json else report)
    return 0 if report.ok else 1


def run(arguments: argparse.Namespace) -> int:
    """Execute notebooks in a temporary copy, and store what they print where that is wanted."""
    sandbox.become_init()
    chosen = [
        path for path in sorted(NOTEBOOKS.glob("*.ipynb"))
        if arguments.which == "all" or path.name.startswith(arguments.which)
    ]  # fmt: skip
    if not chosen:
        names = ", ".join(path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb")))
        raise LabError(f"no notebook begins with {arguments.which!r}; there are: {names}")
    with tempfile.TemporaryDirectory(prefix="xdp-lab-") as folder:
        copy = Path(folder, "notebooks")  # beside bpf/, as in the original
        copy.mkdir()
        Path(folder, "bpf").symlink_to(REPO / "bpf")
        with _without_progress():
            results = [_run_notebook(path, copy, arguments.store) for path in chosen]
    ok = all(result["ok"] for result in results)
    if arguments.json:
        print(json.dumps({"notebooks": results}, indent=2))
    else:
        seconds = sum(result["seconds"] for result in results)
        print(f"{sum(r['ok'] for r in results)} of {len(results)} notebooks ok in {seconds:.0f} s")
    return 0 if ok else 1


def _run_notebook(path: Path, folder: Path, store: bool) -> dict[str, Any]:
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    # What nbclient says at a kernel's death would stand between our lines.
    notebook = nbformat.read(shutil.copy(path, folder), as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:  # a stale output must not pass for a fresh one
        cell.outputs, cell.execution_count = [], None
    begun = time.monotonic()
    done = 0

    def progress(**_: Any) -> None:
        nonlocal done
        done += 1
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\033[K{path.stem}: {done} of {len(code)} cells")
            sys.stderr.flush()

    client = NotebookClient(
        notebook, timeout=120, kernel_name="xdp-lab", allow_errors=True, record_timing=False,
        resources={"metadata": {"path": str(folder)}}, on_cell_executed=progress,
    )  # fmt: skip
    broken = None
    try:
        client.execute(env={**os.environ, "JPY_SESSION_NAME": path.stem})
    except CellTimeoutError:
        broken = f"cell {done + 1} took more than {client.timeout} s"
    except (DeadKernelError, RuntimeError) as error:
        broken = f"the kernel died in cell {done + 1}: {error}"
    failed = [
        {"cell": number, "error": f"{output.ename}: {output.evalue}"}
        for number, cell in enumerate(code, 1)
        for output in cell.outputs
        if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", [])
    ]
    if broken:
        failed.append({"cell": done + 1, "error": broken})
    seconds = round(time.monotonic() - begun, 1)
    if store and not failed:
        _store(path, notebook)
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    _say(f"{path.stem}: {'ok' if not failed else 'FAILED'}, {len(code)} cells in {seconds} s")
    for failure in failed:
        _say(f"  cell {failure['cell']}: {failure['error']}")
    return {
        "name": path.stem, "ok": not failed, "seconds": seconds, "cells": len(code),
        "failed": failed,
    }  # fmt: skip


def _store(path: Path, ran: Any) -> None:
    """Put the outputs of a run into the notebook, and leave the rest of it as it is."""
    import nbformat
    from nbconvert.preprocessors import CoalesceStreamsPreprocessor

    # On a busy machine a cell's lines come one by one.
    ran, _ = CoalesceStreamsPreprocessor(enabled=True)(ran, {})
    notebook = nbformat.read(path, as_version=4)
    for cell, fresh in zip(notebook.cells, ran.cells, strict=True):
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = fresh.outputs, fresh.execution_count
            for output in cell.outputs:
                # A widget ends with its kernel: JupyterLab would show an error in its place.
                output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    nbformat.write(notebook, path)


def shell(arguments: argparse.Namespace) -> int:
    """Open a terminal, or run a command, in the network of a running notebook."""
    found = sandbox.running()
    if not found:
        raise LabError("no notebook of the lab is running; open one and run its first cells")
    if arguments.notebook:
        found = [one for one in found if one.name.startswith(arguments.notebook)] or found
    chosen = found[0] if len(found) == 1 else _choose(found)
    entry = ["nsenter", "-t", str(chosen.pid), "--mount", "--pid", "--root"]
    if arguments.host:
        if arguments.host not in chosen.hosts():
            has = ", ".join(chosen.hosts()) or "none yet; run the cell that makes the network"
            raise LabError(f"{chosen.name} has no host {arguments.host}; its hosts: {has}")
        entry.append(f"--net=/proc/{chosen.pid}/root/run/netns/{arguments.host}")
    else:
        entry.append("--net")
    command = arguments.theirs
    if not command:
        prompt = f"{chosen.name}{':' + arguments.host if arguments.host else ''}# "
        command = ["env", f"PS1={prompt}", "bash", "--norc", "--noprofile"]
        _say(
            f"You are {'on ' + arguments.host if arguments.host else 'in the network'} of "
            f"{chosen.name}; hosts: {', '.join(chosen.hosts()) or 'none yet'}. «exit» leaves."
        )
    return subprocess.run(
        [*entry, "--", "env", f"--chdir={os.getcwd()}", *command], check=False
    ).returncode


def _choose(found: Sequence[sandbox.Running]) -> sandbox.Running:
    for number, one in enumerate(found, 1):
        _say(f"{number}  {one.name}  (hosts: {', '.join(one.hosts()) or 'none yet'})")
    if not sys.stdin.isatty():
        raise LabError("several notebooks run; say which with --notebook, such as --notebook 02")
    while True:
        answer = input("Which one? ")
        if answer.isdigit() and 1 <= int(answer) <= len(found):
            return found[int(answer) - 1]


def packet(arguments: argparse.Namespace) -> int:
    """Run a program on each packet of a capture."""
    sandbox.become_init()
    sandbox.enter()
    from scapy.error import Scapy_Exception
    from scapy.utils import RawPcapReader, RawPcapWriter

    from .program import Program

    program = Program(arguments.program)
    chosen = {arguments.map: program[arguments.map]} if arguments.map else program.maps
    try:
        with RawPcapReader(str(arguments.pcap)) as reader:
            frames = [data for data, _ in reader]
    except (OSError, Scapy_Exception) as error:
        raise LabError(f"{arguments.pcap} cannot be read as a pcap file: {error}") from None
    runs = [program.run(data) for data in frames]
    if arguments.out:
        try:
            with contextlib.closing(RawPcapWriter(str(arguments.out), linktype=1)) as writer:
                writer.write_header(None)
                for one in runs:
                    writer.write_packet(one.after)
        except OSError as error:
            raise LabError(f"{arguments.out} cannot be written: {error.strerror}") from None
    maps = {name: _map_as_json(entries) for name, entries in chosen.items()}
    if arguments.json:
        packets = [{"verdict": r.verdict, "out": r.after.hex(), "ns": r.ns} for r in runs]
        print(json.dumps({"packets": packets, "maps": maps}, indent=2))
        return 0
    for number, one in enumerate(runs, 1):
        changes = "; ".join(map(repr, one.changes)) or "unchanged"
        print(f"{number:4}  {one.verdict:12}  {len(one.before):4} bytes  {one.ns:4} ns  {changes}")
    for entries in chosen.values():
        print(entries)
    return 0


def _map_as_json(entries: Any) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        return {"copies": list(value), "sum": value.sum} if hasattr(value, "sum") else value

    return {str(key): plain(value) for key, value in entries.items()}


def check(arguments: argparse.Namespace) -> int:
    """Try answers to exercises on packets."""
    sandbox.become_init()
    # The reader's own progress is made in notebooks, not by a teacher's evening.
    from . import exercises, practice, submissions

    if arguments.list:
        for one in exercises.every().values():
            print(f"{one.id:5} {one.name + one.suffix:18} {one.title}")
        return 0
    try:
        if arguments.all:
            found = submissions.find(arguments.all)
        elif arguments.exercise and arguments.file:
            exercise = exercises.find(arguments.exercise)
            if not arguments.file.is_file():
                raise LabError(f"there is no file {arguments.file}; check the path")
        else:
            raise LabError("check takes the number of an exercise and a file, or --list, or --all")
    except LabError as error:
        _say(f"lab: {error}")
        return 2
    if arguments.all:
        return 0 if submissions.mark(found, arguments.csv) else 1
    reply = practice.judge(exercise, arguments.file)
    print(json.dumps(submissions.as_dict(reply), indent=2) if arguments.json else reply)
    return 0 if reply.ok else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="labsetup/lab", description="XDP Lab: hands-on XDP.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(function: Any, text: str, **options: Any) -> argparse.ArgumentParser:
        added = verbs.add_parser(function.__name__, help=text, description=text, **options)
        added.set_defaults(function=function)
        return added

    verb(
        start, "open JupyterLab at the first notebook",
        usage="labsetup/lab start [-- JUPYTERLAB OPTION ...]",
    )  # fmt: skip
    verb(
        test, "run every test and every notebook",
        usage="labsetup/lab test [-- PYTEST OPTION ...]",
    )  # fmt: skip
    added = verb(doctor, "what this machine can and cannot do, and the command that mends it")
    added.add_argument("--json", action="store_true", help="print one JSON document")
    added = verb(run, "run notebooks without a browser, in a temporary copy")
    added.add_argument("which", metavar="NN|all", help="the number of a notebook, or all")
    added.add_argument("--store", action="store_true", help="keep what the cells print as outputs")
    added.add_argument("--json", action="store_true", help="print one JSON document")
    added = verb(
        shell, "a terminal, or one command, inside a running notebook's network",
        usage="labsetup/lab shell [-h] [--notebook NN] [HOST] [-- COMMAND ...]",
    )  # fmt: skip
    added.add_argument("host", metavar="HOST", nargs="?", help="the host to be on, such as client")
    added.add_argument("--notebook", metavar="NN", help="which one, if several notebooks run")
    added = verb(packet, "run an XDP program on each packet of a capture, without a network")
    added.add_argument(
        "program", help="a program of bpf/, such as xdp_drop, or a path to a .c file"
    )
    added.add_argument(
        "--pcap", type=Path, required=True, metavar="IN", help="packets to run it on"
    )
    added.add_argument("--out", type=Path, metavar="OUT", help="write the packets after it here")
    added.add_argument("--map", metavar="NAME", help="show only this map")
    added.add_argument("--json", action="store_true", help="print one JSON document")
    added = verb(
        check, "try an answer to an exercise on packets, or a whole class's",
        usage="labsetup/lab check [-h] EXERCISE FILE [--json] | --list | --all DIR [--csv OUT]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""DIR has a folder for each student with their answers, named by number or by name:
    DIR/ada/2.1.c  DIR/ada/3.2.py  DIR/grace/no_arp.c
Answers run as root. What C may do is bounded by the verifier, in a network of its own; Python
may do anything, so read it first. An answer that does not end is ended after 20 seconds.
Nothing of it is recorded: progress is made in notebooks.""",
    )  # fmt: skip
    added.add_argument("exercise", metavar="EXERCISE", nargs="?", help="its number, such as 2.1")
    added.add_argument("file", metavar="FILE", nargs="?", type=Path, help="the answer")
    added.add_argument("--json", action="store_true", help="print one JSON document")
    added.add_argument("--list", action="store_true", help="list all exercises")
    added.add_argument("--all", metavar="DIR", type=Path, help="a folder of submissions")
    added.add_argument("--csv", metavar="OUT", type=Path, help="write a row a submission here")
    return parser


def main() -> int:
    """Parse the command line and do what it says."""
    words = sys.argv[1:]
    # What stands after -- belongs to another program, whatever it looks like.
    ours, theirs = words, []
    if "--" in words:
        cut = words.index("--")
        ours, theirs = words[:cut], words[cut + 1 :]
    arguments = _parser().parse_args(ours)
    arguments.theirs = theirs
    try:
        if os.geteuid() != 0 and arguments.verb != "doctor":
            raise LabError(f"the lab needs root; type: sudo labsetup/lab {' '.join(words)}")
        return arguments.function(arguments)
    except LabError as error:
        _say(f"lab: {error}")
    except KeyboardInterrupt:
        _say("lab: interrupted")
    return 1


if __name__ == "__main__":
    sys.exit(main())
