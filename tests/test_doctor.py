"""What the doctor says where something is missing: each row, in words that are true."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.host import on_host

from labsetup import LabError
from labsetup.command import doctor, doctors
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


def report(**of: Mapping[str, object]) -> str:
    checks = [
        {"name": name, "ok": True, "needed": True, "detail": "", "mend": "", **fields}
        for name, fields in of.items()
    ]
    return json.dumps({"ok": True, "checks": checks}, indent=2)


def test_reports_of_a_class_come_into_one_table(tmp_path: Path) -> None:
    kernel = {"detail": "Linux 6.1.0-56-amd64 on x86_64"}
    (tmp_path / "ada.json").write_text(
        report(
            kernel=kernel, dig={"ok": False, "needed": False}, nft={"ok": False, "needed": False}
        )
    )
    old = {"ok": False, "detail": "Linux 5.10.0; the lessons need 5.15"}
    (tmp_path / "bob.json").write_text(report(kernel=old, ping={"ok": False}), "utf-16")
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "ada.json").write_text("sudo: a password is required\n")
    files = [f"{tmp_path}/{name}.json" for name in ("ada", "bob", "room/ada", "eve")]
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "labsetup.command", "doctor", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in ran.stdout.splitlines()]
    assert [rows[0], *rows[2:]] == [
        ["machine", "kernel", "BCC", "memory", "MISSING", "without"],
        ["ada", "6.1.0-56-amd64 on x86_64", "", "", "", "dig, nft"],
        ["bob", "5.10.0", "", "", "kernel, ping", ""],
        ["ada (2)", "it is not what lab doctor --json prints", "", "", "", ""],
        ["eve", "it cannot be read: No such file or directory", "", "", "", ""],
    ]
    assert ran.returncode == 1
    assert doctors.ready(doctors.gather(files[:1]))
    for file in files[1:]:
        assert not doctors.ready(doctors.gather([file]))


def test_a_root_whose_files_are_for_root_alone_compiles_too() -> None:
    words = f"umask 077; exec {sys.executable} -P -m labsetup.command doctor --json"
    checks = json.loads(on_host("sh", "-c", words).stdout)["checks"]
    (compiled,) = [check for check in checks if check["name"] == "compile and verify"]
    assert compiled["ok"], compiled["detail"]
