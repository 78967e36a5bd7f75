"""Several machines' `lab doctor --json`, such as those of a class, as one table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_HEAD = ("machine", "kernel", "BCC", "memory", "MISSING", "without")


def gather(files: Sequence[str]) -> dict[str, Any]:
    """The reports in files, each by its file's name; a sentence in place of one that is none."""
    gathered: dict[str, Any] = {}
    for file in files:
        name, number = Path(file).stem, 2
        while name in gathered:  # doctor.json of several folders
            name, number = f"{Path(file).stem} ({number})", number + 1
        gathered[name] = _read(Path(file))
    return gathered


def _read(file: Path) -> Any:
    try:
        data = file.read_bytes()
        wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")  # as PowerShell's > writes
        report = json.loads(data.decode("utf-16" if wide else "utf-8"))
        for check in report["checks"]:
            for key in ("name", "ok", "needed", "detail"):
                check[key]
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    except (ValueError, KeyError, TypeError):
        return "it is not what lab doctor --json prints"
    return report


def table(gathered: dict[str, Any]) -> str:
    """A machine a line, in Markdown."""
    rows = [_HEAD, *(_row(name, report) for name, report in gathered.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(name: str, report: Any) -> tuple[str, ...]:
    if isinstance(report, str):
        return (name, report, "", "", "", "")
    checks = report["checks"]
    said = {check["name"]: check["detail"] for check in checks}
    missing = ", ".join(one["name"] for one in checks if not one["ok"] and one["needed"])
    without = ", ".join(one["name"] for one in checks if not one["ok"] and not one["needed"])
    # Too old a kernel and too little memory are told, too; why BCC does not load takes a line.
    kernel = said.get("kernel", "").partition(";")[0].removeprefix("Linux ")
    bcc = said.get("BCC", "").removeprefix("BCC ") if "BCC" not in missing.split(", ") else ""
    memory = said.get("memory", "").partition(" free")[0]
    return (name, kernel, bcc, memory, missing, without)


def ready(gathered: dict[str, Any]) -> bool:
    """Whether the lessons can begin on each of the machines."""
    return all(
        not isinstance(report, str) and all(one["ok"] for one in report["checks"] if one["needed"])
        for report in gathered.values()
    )
