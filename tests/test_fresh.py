"""tests/fresh: it leaves nothing behind, however it ends, and says what was not tried."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support import fresh
from support.fresh import Outcome
from support.host import REPO


def start(folder: Path, mmdebstrap: str, *words: str) -> subprocess.Popen[str]:
    """Run it with another mmdebstrap, whose root is the argument before the last."""
    fakes = folder / "fakes"
    fakes.mkdir()
    (fakes / "mmdebstrap").write_text(f"#!/bin/sh\n{mmdebstrap}\n")
    (fakes / "mmdebstrap").chmod(0o755)
    (folder / "roots").mkdir()
    return subprocess.Popen(
        [REPO / "tests/fresh", f"--folder={folder}/roots", *words],
        env={**os.environ, "PATH": f"{fakes}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(autouse=True)
def _keyring() -> None:
    if not fresh.SYSTEMS["debian-12"].keyring.exists():
        pytest.skip("Debian's keyring is not here: no root of Debian is made")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_it_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    mark = tmp_path / "begun"
    process = start(tmp_path, f"touch {mark}; exec sleep 1234.5", "debian-12")
    while not mark.exists():
        assert process.poll() is None
        time.sleep(0.05)  # polls: a file tells nobody
    process.send_signal(number)
    said = process.communicate(timeout=20)[0]
    assert process.returncode == 130
    assert "interrupted; nothing of it is left" in said
    assert not list((tmp_path / "roots").iterdir())
    sleeping = subprocess.run(["pgrep", "-f", "sleep 1234.5"], capture_output=True, check=False)
    assert not sleeping.stdout


def test_what_cannot_be_had_is_said_to_be_untried(tmp_path: Path) -> None:
    process = start(tmp_path, "echo 'E: no such suite'; exit 1", "debian-12")
    said = process.communicate(timeout=20)[0]
    assert "not tried: mmdebstrap: E: no such suite" in said
    assert process.returncode == 0
    assert not list((tmp_path / "roots").iterdir())


def test_doctors_of_several_machines_come_into_one_table() -> None:
    check = {"name": "clang", "ok": True, "needed": False}
    one = Outcome("debian-12", "ok", {"BCC": "0.26.0"}, [check])
    other = Outcome("debian-13", "FAILED: no page", {}, [{**check, "ok": False}])
    text = fresh.summary([one, other, Outcome("ubuntu-24.04", "not tried: no keyring")])
    assert "| debian-12    |" in text
    assert "not tried: no keyring |" in text
    assert "| lab doctor | debian-12 | debian-13 |" in text
    assert "| clang      | ok        | without   |" in text
