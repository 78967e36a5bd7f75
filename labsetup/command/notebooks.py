"""lab run: notebooks without a browser, in a temporary copy."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import LabError
from ..terminals import sockets
from .lessons import sync_picture
from .places import NOTEBOOKS, REPO, say, without_progress, write
from .verbs import Verbs


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    added = verbs.add("run", run, "run notebooks without a browser, in a temporary copy")
    added.add_argument("which", metavar="NN|all", help="the number of a notebook, or all")
    added.add_argument("--store", action="store_true", help="keep what the cells print as outputs")
    added.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Execute notebooks in a temporary copy, and store what they print where that is wanted."""
    chosen = [
        path
        for path in sorted(NOTEBOOKS.glob("*.ipynb"))
        if arguments.which == "all" or path.name.startswith(f"{arguments.which:0>2}")
    ]
    if not chosen:
        names = ", ".join(path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb")))
        raise LabError(f"no notebook begins with {arguments.which!r}; there are: {names}")
    with tempfile.TemporaryDirectory(prefix="xdp-lab-") as folder:
        copy = Path(folder, "notebooks")  # beside bpf/, as in the original
        copy.mkdir()
        Path(folder, "bpf").symlink_to(REPO / "bpf")
        with without_progress():
            results = [_run_notebook(path, copy, arguments.store) for path in chosen]
    if arguments.store:
        sync_picture(NOTEBOOKS)
    ok = all(result["ok"] for result in results)
    if arguments.json:
        print(json.dumps({"notebooks": results}, indent=2))
    else:
        seconds = sum(result["seconds"] for result in results)
        print(f"{sum(r['ok'] for r in results)} of {len(results)} notebooks ok in {seconds:.0f} s")
    return 0 if ok else 1


class _LeavesSignals(asyncio.SelectorEventLoop):
    """nbclient would end its kernel at a signal, wonder why it is dead, and go on."""

    def add_signal_handler(self, *_: object) -> None:
        raise RuntimeError  # as outside of the main thread, which nbclient puts up with


def _run_notebook(path: Path, folder: Path, store: bool) -> dict[str, Any]:
    import nbformat

    notebook = nbformat.read(shutil.copy(path, folder), as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:  # a stale output must not pass for a fresh one
        cell.outputs, cell.execution_count = [], None
    begun = time.monotonic()
    broken = _execute(notebook, path.stem, folder, len(code))
    failed = [*_errors(code), *broken]
    seconds = round(time.monotonic() - begun, 1)
    if store and not failed:
        _store(path, notebook)
    say(f"{path.stem}: {'ok' if not failed else 'FAILED'}, {len(code)} cells in {seconds} s")
    for failure in failed:
        say(f"  cell {failure['cell']}: {failure['error']}")
    return {
        "name": path.stem,
        "ok": not failed,
        "seconds": seconds,
        "cells": len(code),
        "failed": failed,
    }


def _execute(notebook: Any, name: str, folder: Path, cells: int) -> list[dict[str, Any]]:
    """Run all cells, and say how far it is; returns what ended it before its end, if something."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from traitlets.config import Config

    done = 0

    def progress(**_: Any) -> None:
        nonlocal done
        done += 1
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\033[K{name}: {done} of {cells} cells")
            sys.stderr.flush()

    client = NotebookClient(
        notebook,
        timeout=120,
        config=Config(KernelManager=sockets.settings()),
        shutdown_kernel="immediate",
        kernel_name="xdp-lab",
        allow_errors=True,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
        on_cell_executed=progress,
    )
    try:
        with asyncio.Runner(loop_factory=_LeavesSignals) as runner:
            runner.run(client.async_execute(env={**os.environ, "JPY_SESSION_NAME": name}))
    except CellTimeoutError:
        return [{"cell": done + 1, "error": f"cell {done + 1} took more than {client.timeout} s"}]
    except (DeadKernelError, RuntimeError) as error:
        told = f"the kernel died in cell {done + 1}: {error}"
        return [{"cell": done + 1, "error": told}]
    finally:
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
    return []


def _errors(code: Sequence[Any]) -> list[dict[str, Any]]:
    """The errors that cells show and that are not meant."""
    return [
        {"cell": number, "error": f"{output.ename}: {output.evalue}"}
        for number, cell in enumerate(code, 1)
        for output in cell.outputs
        if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", [])
    ]


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
    write(path, nbformat.writes(notebook).rstrip("\n") + "\n")
