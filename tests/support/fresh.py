"""The lab on bare machines: each a fresh root of a distribution under this machine's kernel.

Such a root is what debootstrap's smallest variant has, in mount, PID and IPC namespaces of its own
with its own /proc, /sys, /dev and bpffs; only the network is this machine's, for the installation.
In it a clean clone of HEAD is all that there is of the lab, and the README's commands are typed.
Standard library alone: it is run with the Python of any machine.  Sources: mmdebstrap(1),
unshare(1), pivot_root(8).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

REPO = Path(__file__).resolve().parents[2]
DEBIAN, UBUNTU = "http://deb.debian.org/debian", "http://archive.ubuntu.com/ubuntu"
ARM_UBUNTU = "http://ports.ubuntu.com/ubuntu-ports"
LONGEST = {"make": 900.0, "start": 1800.0, "run": 600.0, "doctor": 300.0, "test": 5400.0}  # seconds

# What this machine needs to reach apt's and pip's archives, a fresh one behind the same wall does.
PASSED_ON = re.compile(r"(?i)(http|https|no)_proxy|PIP_(CERT|INDEX_URL|DEFAULT_TIMEOUT)")

# $1 is the root, the rest a command.  What it mounts goes with the namespace.
ENTER = """
set -e
root=$1; shift
mount --bind "$root" "$root"; cd "$root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t bpf bpf sys/fs/bpf
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
mkdir -p run/before
pivot_root . run/before
cd /root/xdp-lab
umount -l /run/before
exec "$@"
"""
ALONE = ("unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True)
class System:
    """A distribution.

    Attributes:
        suite: its name in the archive.
        archive: the archive's address.
        keyring: what its packages are signed with; without it they are not taken.
        components: the archive's parts.
    """

    suite: str
    archive: str
    keyring: Path
    components: str = "main"


_DEBIAN_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_UBUNTU_KEYS = Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg")
SYSTEMS = {
    "debian-12": System("bookworm", DEBIAN, _DEBIAN_KEYS),
    "debian-13": System("trixie", DEBIAN, _DEBIAN_KEYS),
    "ubuntu-24.04": System(
        "noble",
        UBUNTU if os.uname().machine == "x86_64" else ARM_UBUNTU,
        _UBUNTU_KEYS,
        "main,universe",
    ),
}


class NotTried(Exception):
    """There is no such machine to be had here; the message says why."""


@dataclass
class Outcome:
    """What became of one; `result` is what the table ends with."""

    system: str
    result: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    doctor: list[dict[str, Any]] = field(default_factory=list)


class Machine:
    """A root with a clone in it, and the log of all that is run there."""

    def __init__(self, folder: Path, log: IO[str]) -> None:
        self.root, self.log = folder / "root", log

    def make(self, system: System) -> None:
        """Fetch the packages, and lay a clone of HEAD beside them.

        Raises:
            NotTried: when there are none to be had.
        """
        if not system.keyring.exists():
            raise NotTried(f"{system.keyring} is not here, by which packages are known")
        parts = f"--components={system.components}", f"--keyring={system.keyring}"
        what = "mmdebstrap", "--variant=minbase", *parts, system.suite, self.root, system.archive
        if self._wait(self._start(*ALONE, *what), LONGEST["make"]):
            raise NotTried(f"mmdebstrap: {_last(self.log)}")
        etc = self.root / "etc"
        (etc / "resolv.conf").write_text(Path("/etc/resolv.conf").read_text())
        (etc / "hostname").write_text("fresh\n")
        own = Path("usr/local/share/ca-certificates")  # see update-ca-certificates(8)
        shutil.copytree(Path("/", own), self.root / own, dirs_exist_ok=True)
        clone = "git", "clone", "-q", "--depth=1", f"file://{REPO}", self.root / "root/xdp-lab"
        subprocess.run(clone, check=True, stdout=self.log, stderr=self.log)

    def start(self, *words: str, out: int | IO[str] | None = None) -> subprocess.Popen[str]:
        """Type a command in the clone, as root with an empty home."""
        own = [f"{key}={value}" for key, value in os.environ.items() if PASSED_ON.fullmatch(key)]
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        clean = "/usr/bin/env", "-i", "HOME=/root", "LANG=C.UTF-8", "TERM=dumb", path, *own
        enter = *ALONE, "sh", "-c", ENTER, "sh", self.root
        return self._start(*enter, *clean, *words, out=out)

    def says(self, *words: str, longest: float = LONGEST["run"], out: bool = True) -> str:
        """The same to its end; what it printed, with `out`.

        Raises:
            RuntimeError: if it failed.
        """
        with tempfile.TemporaryFile("w+") as file:
            status = self._wait(self.start(*words, out=file if out else self.log), longest)
            file.seek(0)
            said = file.read()
        if status:
            raise RuntimeError(f"{' '.join(words)}: status {status}")
        return said

    def open(self) -> float:
        """Have `lab start` install all, and open the page that it names; when it was installed.

        Raises:
            RuntimeError: when there is no page.
        """
        lab = self.start("labsetup/lab", "start", "--", "--port-retries=50", out=subprocess.PIPE)
        installed = 0.0
        try:
            for line in _lines(lab, LONGEST["start"]):
                self.log.write(line)
                self.log.flush()
                installed = time.monotonic() if line.startswith("Ready after") else installed
                if found := re.search(r"http://127\.0\.0\.1:\d+/lab\S*token=\w+", line):
                    with urllib.request.urlopen(found[0], timeout=30) as page:
                        if b"jupyter-config-data" in page.read():
                            return installed
            raise RuntimeError("labsetup/lab start gave no page")
        finally:
            lab.kill()  # unshare(1) takes all that it forked along, and heeds no other signal
            lab.wait()

    def _start(self, *words: str | Path, out: int | IO[str] | None = None) -> subprocess.Popen[str]:
        errors = subprocess.STDOUT if out == subprocess.PIPE else self.log
        nothing, out = subprocess.DEVNULL, self.log if out is None else out
        return subprocess.Popen(words, stdin=nothing, stdout=out, stderr=errors, text=True)

    @staticmethod
    def _wait(process: subprocess.Popen[str], longest: float) -> int:
        try:
            return process.wait(longest)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _lines(process: subprocess.Popen[str], longest: float) -> Iterator[str]:
    """What it says, while it says something and there is time."""
    assert process.stdout
    deadline, rest = time.monotonic() + longest, ""
    while select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
        said = os.read(process.stdout.fileno(), 65536).decode(errors="replace")
        if not said:
            return
        *whole, rest = (rest + said).splitlines(keepends=True)
        if rest.endswith("\n"):
            whole, rest = [*whole, rest], ""
        yield from whole


def _last(log: IO[str]) -> str:
    lines = Path(log.name).read_text(errors="replace").splitlines()
    return next((line for line in reversed(lines) if line.startswith("E:")), lines[-1:][0])


def attempt(name: str, folder: Path, log: IO[str], with_tests: bool) -> Outcome:
    """Make the machine, and do there what the README says."""
    outcome, machine = Outcome(name), Machine(folder, log)
    try:
        tell(f"{name}: a bare root ...")
        machine.make(SYSTEMS[name])
        tell(f"{name}: labsetup/lab start, from nothing ...")
        begun = time.monotonic()
        outcome.facts["s to installed"] = f"{machine.open() - begun:.0f}"
        outcome.facts["s to the page"] = f"{time.monotonic() - begun:.0f}"
        tell(f"{name}: labsetup/lab run 02 ...")
        machine.says("labsetup/lab", "run", "02")
        outcome.facts["min to 02 done"] = f"{(time.monotonic() - begun) / 60:.1f}"
        outcome.doctor = _doctor(machine)
        outcome.facts |= _versions(machine, outcome.doctor)
        outcome.result = "ok"
        if with_tests:
            tell(f"{name}: labsetup/lab test, {LONGEST['test'] / 60:.0f} minutes at most ...")
            begun = time.monotonic()
            machine.says("labsetup/lab", "test", longest=LONGEST["test"], out=False)
            outcome.result = f"ok, lab test in {(time.monotonic() - begun) / 60:.0f} min"
    except NotTried as reason:
        outcome.result = f"not tried: {reason}"
    except subprocess.TimeoutExpired as expired:
        outcome.result = f"FAILED: something took more than {expired.timeout:.0f} s"
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        outcome.result = f"FAILED: {error}"
    return outcome


def _doctor(machine: Machine) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(machine.says("labsetup/lab", "doctor", "--json"))[
        "checks"
    ]
    return found


def _versions(machine: Machine, doctor: Sequence[dict[str, Any]]) -> dict[str, str]:
    details = {check["name"]: check["detail"] for check in doctor}
    clang = re.search(r"version (\S+?)[+\s]", machine.says("clang", "--version") + " ")
    return {
        "Python": machine.says(".venv/bin/python", "--version").split()[-1],
        "BCC": details["BCC"].removeprefix("BCC "),
        "clang": clang[1] if clang else "?",
    }


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows, the first of which is the head, in Markdown."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def summary(outcomes: Sequence[Outcome]) -> str:
    """All of them in one table, and what each doctor said in another."""
    facts = ["Python", "BCC", "clang", "s to installed", "s to the page", "min to 02 done"]
    rows = [
        [one.system, *(one.facts.get(fact, "") for fact in facts), one.result] for one in outcomes
    ]
    text = table([["system", *facts, "result"], *rows])
    examined = [one for one in outcomes if one.doctor]
    if not examined:
        return text
    seen = [{check["name"]: _state(check) for check in one.doctor} for one in examined]
    names = dict.fromkeys(name for checks in seen for name in checks)
    states = [[name, *(checks.get(name, "") for checks in seen)] for name in names]
    return f"{text}\n\n{table([['lab doctor', *(one.system for one in examined)], *states])}"


def _state(check: dict[str, Any]) -> str:
    return "ok" if check["ok"] else "MISSING" if check["needed"] else "without"


def tell(text: str) -> None:
    """To stderr: stdout has the tables alone."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Try each system that is named; 0 when none has failed."""
    parser = argparse.ArgumentParser(prog="tests/fresh", description="The lab on bare machines.")
    parser.add_argument("system", nargs="*", help=f"some of {', '.join(SYSTEMS)}; else all")
    parser.add_argument("--test", action="store_true", help="the whole `lab test` on each as well")
    parser.add_argument("--folder", default="/var/tmp", help="4 GB for a while (%(default)s)")
    parser.add_argument("--json", type=Path, help="a file for all that was found")
    arguments = parser.parse_args()
    if unknown := set(arguments.system) - set(SYSTEMS):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(SYSTEMS)}")
    if os.geteuid() != 0:
        parser.error("roots and namespaces need root; type: sudo tests/fresh")
    if not shutil.which("mmdebstrap"):
        parser.error("mmdebstrap is not installed; type: apt-get install mmdebstrap")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    outcomes = list[Outcome]()
    with contextlib.suppress(KeyboardInterrupt):
        for name in arguments.system or SYSTEMS:
            outcomes.append(_attempt_apart(name, Path(arguments.folder), arguments.test))
        print(summary(outcomes))
        if arguments.json:
            arguments.json.write_text(json.dumps([vars(one) for one in outcomes], indent=1))
        return int(any(one.result.startswith("FAILED") for one in outcomes))
    tell("tests/fresh: interrupted; nothing of it is left")
    return 130


def _attempt_apart(name: str, where: Path, with_tests: bool) -> Outcome:
    """One attempt, of which nothing is left but the log of a failure."""
    folder = Path(tempfile.mkdtemp(prefix="xdp-lab-fresh-", dir=where))
    try:
        with open(folder / "log", "w") as log:
            outcome = attempt(name, folder, log, with_tests)
        if outcome.result.startswith("FAILED"):
            kept = where / f"xdp-lab-fresh-{name}.log"
            shutil.copy(folder / "log", kept)
            tell("\n".join(kept.read_text(errors="replace").splitlines()[-20:]))
            outcome.result += f"; see {kept}"
        return outcome
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # what goes on here is soon over
        shutil.rmtree(folder)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)


if __name__ == "__main__":
    sys.exit(main())
