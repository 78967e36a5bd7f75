"""What the doctor says where something is missing: each row, in words that are true."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.host import on_host

from labsetup import LabError
from labsetup.command import doctor
from labsetup.command.doctor import Finding, Report

HIDE = """
set -e
mount -t tmpfs none /usr/src
mount -t tmpfs none "$1/share/xdp-lab"
exec "$1/bin/python" -P -m labsetup.command doctor --json
"""


def test_without_headers_each_row_is_there_and_stdout_is_json() -> None:
    ran = on_host("unshare", "--mount", "sh", "-c", HIDE, "sh", sys.prefix)
    report = json.loads(ran.stdout)
    assert ran.returncode == 1
    checks = {check["name"]: check for check in report["checks"]}
    assert len(checks) == len(doctor._CHECKS)
    assert not checks["kernel headers"]["ok"]
    assert "none are there" in checks["kernel headers"]["detail"]
    assert not checks["compile and verify"]["ok"]
    assert checks["ping"]["ok"]
    assert all(check["detail"] for check in report["checks"])


def test_without_xdpdump_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    which = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name, **_: None if name == "xdpdump" else which(name)
    )
    with pytest.raises(doctor._Missing, match="xdpdump is not installed") as missing:
        doctor._fentry()
    assert missing.value.mend == "apt-get install xdp-tools"


@pytest.mark.parametrize(
    ("missing", "verdict"),
    [
        ([], "This machine is ready for every lesson."),
        (["fentry"], "This machine is ready. Some lessons take another way without: fentry."),
        (["dig"], "This machine is ready. A cell of a lesson fails without each of: dig."),
        (
            ["bpftool", "nft"],
            "This machine is ready. A cell of a lesson fails without each of: bpftool. "
            "Some lessons take another way without: nft.",
        ),
    ],
)
def test_the_verdict_tells_what_has_another_way(missing: list[str], verdict: str) -> None:
    names = ["root", "bpftool", "dig", "fentry", "nft"]
    report = Report(Finding(name, name not in missing, name == "root", "") for name in names)
    assert report.verdict == verdict


def test_a_checkup_that_breaks_off_never_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], -9, "", "")
    )
    with pytest.raises(LabError, match="its status was -9"):
        doctor.checkup()


def test_what_libraries_print_is_not_in_the_report(capfd: pytest.CaptureFixture[str]) -> None:
    with doctor._stdout_kept():
        os.write(1, b"Unable to find kernel headers\n")
        subprocess.run(["echo", "so does a child"], check=True)
    assert capfd.readouterr().out == ""
    assert Path("/proc/self/fd/1").exists()
