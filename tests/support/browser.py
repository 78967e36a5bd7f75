"""A reader at a browser: JupyterLab as `lab start` opens it, in Chromium, by mouse and keys."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from labsetup.command.places import REPO

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = "no Chromium here; type: apt-get install chromium"

# What is known of the notebook in front: code cells, those that ran, those that show an error.
STATE = """() => {
    const all = jupyterapp.shell.currentWidget.content.widgets;
    const cells = all.filter(one => one.model.type === 'code');
    const outputs = cell => cell.model.outputs.toJSON();
    return {
        cells: cells.length,
        ran: cells.filter(one => one.model.executionCount).length,
        outputs: cells.filter(one => outputs(one).length).length,
        errors: cells.flatMap(one => outputs(one).filter(o => o.output_type === 'error'
            && !(one.model.getMetadata('tags') ?? []).includes('raises-exception'))
            .map(o => o.evalue)),
    };
}"""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """JupyterLab over a reader's copy in a folder; gives its address."""
    (folder / "bpf").symlink_to(REPO / "bpf")
    options = ["--no-browser", "--port=0", "--LabApp.expose_app_in_browser=True"]
    server = subprocess.Popen(
        [
            "setpriv",
            "--pdeathsig",
            "TERM",
            sys.executable,
            "-P",
            "-m",
            "labsetup.command",
            "start",
            "--",
            *options,
        ],
        env={**os.environ, "XDP_LAB_MINE": f"{folder}/my-lab"},
        cwd=REPO,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield _address(server)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _address(server: subprocess.Popen[str]) -> str:
    assert server.stderr
    told, end = "", time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        if select.select([server.stderr], [], [], 1)[0]:
            told += os.read(server.stderr.fileno(), 65536).decode()
        if found := re.search(r"http://127\.0\.0\.1:\d+/\S*token=\w+", told):
            return found[0]
    raise AssertionError(f"no address within a minute: {told}")


FOCUSED = """() => {
    const notebook = jupyterapp.shell.currentWidget.content;
    const node = notebook.activeCell.node, place = node.getBoundingClientRect();
    const window = notebook.node.getBoundingClientRect();
    return document.activeElement === node && place.top < window.bottom - 20
        && place.bottom > window.top + 20;
}"""


class Reader:
    """Somebody in front of JupyterLab.

    Attributes:
        page: the page, as Playwright has it.
        complaints: what the console showed as errors.
    """

    def __init__(self, page: Any, address: str) -> None:
        self.page, self._address = page, address
        self.complaints: list[str] = []
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _listen(self, said: Any) -> None:
        if said.type == "error":
            self.complaints.append(said.text)

    def open(self, name: str) -> None:
        """Open a notebook of the copy, by the beginning of its name, and wait for its kernel."""
        base, token = re.match(r"(http://[^/]+).*token=(\w+)", self._address).groups()  # type: ignore[union-attr]
        self.page.goto(f"{base}/lab/tree/my-lab/{name}?token={token}&reset")
        self.page.wait_for_function(
            "window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady", timeout=60_000
        )
        self._wait_for_kernel()

    def turn_to(self, name: str) -> None:
        """The same in the page that is open, as by a double click on the notebook's name.

        JupyterLab itself, whose loading takes seconds, is there already.
        """
        if not self.page.evaluate("!!window.jupyterapp"):
            return self.open(name)
        self.command("docmanager:open", wait=False, path=f"my-lab/{name}")
        self.page.wait_for_function(
            """name => { const front = jupyterapp.shell.currentWidget;
                return front?.context?.path === name && front.sessionContext.isReady; }""",
            arg=f"my-lab/{name}",
            timeout=60_000,
        )
        self._wait_for_kernel()

    def leave(self) -> None:
        """End the kernel of the notebook in front, and close it unsaved."""
        self.page.evaluate(
            """async () => {
                const front = jupyterapp.shell.currentWidget;
                await front.sessionContext.shutdown();
                front.dispose();
            }"""
        )

    def _wait_for_kernel(self) -> None:
        self.page.wait_for_selector(".jp-Notebook:visible .jp-Cell")
        self.page.wait_for_function(
            "jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'",
            timeout=30_000,
        )

    def command(self, name: str, wait: bool = True, **arguments: Any) -> None:
        """One of JupyterLab's commands; that of a cell ends when the cell does."""
        call = "([name, all]) => { const done = jupyterapp.commands.execute(name, all); "
        call += "return done; }" if wait else "}"
        self.page.evaluate(call, [name, arguments])

    def state(self) -> dict[str, Any]:
        """Of the notebook in front: cells, ran, outputs, errors."""
        found: dict[str, Any] = self.page.evaluate(STATE)
        return found

    def run_all(self, seconds: float) -> dict[str, Any]:
        """Run every cell; gives the state when all have run, or when the time is over."""
        self.command("notebook:run-all-cells", wait=False)
        # Not state(): to ask again and again for all outputs, pictures too, keeps a CPU at work.
        from playwright.sync_api import TimeoutError as Late

        with contextlib.suppress(Late):
            self.page.wait_for_function(
                """() => jupyterapp.shell.currentWidget.content.widgets.every(
                    one => one.model.type !== 'code' || one.model.executionCount)""",
                timeout=1000 * seconds,
                polling=250,
            )
        return self.state()

    def find(self, words: str) -> None:
        """Select the first cell that has these words, and bring it into sight."""
        self.page.evaluate(
            """words => {
                const all = jupyterapp.shell.currentWidget.content;
                const place = all.widgets.findIndex(
                    one => one.model.sharedModel.getSource().includes(words));
                if (place < 0) throw new Error('no cell has ' + words);
                all.activeCellIndex = place;
                return all.scrollToItem(place, 'center');
            }""",
            words,
        )

    def run(self, words: str) -> None:
        """Run the cell that has these words, and wait for its end."""
        self.find(words)
        self.command("notebook:run-cell")

    def source(self) -> str:
        """Of the cell that is selected."""
        return str(
            self.page.evaluate(
                "jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.getSource()"
            )
        )

    def stands_at(self, right: Callable[[str], bool]) -> None:
        """Wait until the cell that Shift+Enter runs is right by its source, in sight, in focus."""
        deadline = time.monotonic() + 10
        while not (right(self.source()) and self.page.evaluate(FOCUSED)):
            assert time.monotonic() < deadline, self.source()
            self.page.wait_for_timeout(50)

    def new_cell(self, lines: list[str]) -> None:
        """Type a cell below the selected one, key by key, and stay in it."""
        self.command("notebook:insert-cell-below")
        self.command("notebook:enter-edit-mode")
        self.page.wait_for_timeout(300)
        for number, line in enumerate(lines):
            if number:
                self.page.keyboard.press("Enter")
            self.page.keyboard.type(line, delay=5)


@contextlib.contextmanager
def reader(address: str, width: int = 1280) -> Iterator[Reader]:
    """A reader at a window of this width."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield Reader(browser.new_page(viewport={"width": width, "height": 1000}), address)
        finally:
            browser.close()
